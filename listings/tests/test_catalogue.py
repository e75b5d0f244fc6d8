"""Categories and listings in bulk."""

import pytest

from listings import catalogue
from listings.catalogue import CategoryRow, ListingRow
from listings.models import Category, Listing, Revision
from listings.tests import make
from marketplace import tenancy

pytestmark = pytest.mark.django_db


@pytest.fixture
def own():
    marketplace = make.marketplace()
    with tenancy.use(marketplace.pk):
        yield marketplace


class TestEnsureCategories:
    def test_gives_each_node_the_path_from_the_root(self, own):
        made = make.categories()
        food, liquor = made["food"], made["liquor"]
        assert food.path == [food.pk]
        assert Category.objects.get(code="liquor").path == [food.pk, liquor.pk]
        assert Category.objects.get(code="liquor").parent_id == food.pk

    def test_adds_below_what_exists_and_changes_nothing_else(self, own):
        first = make.categories()
        rows = [CategoryRow("food", "다른 이름"), CategoryRow("beer", "맥주", "liquor")]
        again = catalogue.ensure_categories(rows)
        assert again["food"].name == "식품"
        assert again["beer"].path == [*first["liquor"].path, again["beer"].pk]
        assert Category.objects.count() == 4

    def test_refuses_an_unknown_parent(self, own):
        with pytest.raises(catalogue.ParentUnknown):
            catalogue.ensure_categories([CategoryRow("a", "a", "b")])
        assert not Category.objects.exists()

    def test_takes_the_same_queries_for_any_number(self, own, django_assert_num_queries):
        rows = [CategoryRow(f"c{number}", "x") for number in range(50)]
        with django_assert_num_queries(6):
            catalogue.ensure_categories(rows)


class TestEnsureListings:
    def row(self, code, seller, title="이어폰"):
        return ListingRow(seller.pk, code, title, 9_900)

    def test_makes_them_on_sale_with_an_approved_revision(self, own):
        seller = make.seller()
        listings = catalogue.ensure_listings([self.row("a", seller), self.row("b", seller)])
        assert sorted(code for _, code in listings) == ["a", "b"]
        assert Listing.objects.visible().count() == 2
        revision = Revision.objects.get(listing__code="a")
        assert (revision.state, revision.unit_price) == ("approved", 9_900)
        assert Listing.objects.get(code="a").live_revision == revision

    def test_keeps_what_exists(self, own):
        seller = make.seller()
        catalogue.ensure_listings([self.row("a", seller)])
        make.draft(owner=seller, code="b")
        again = [self.row(code, seller, "새 이름") for code in "abc"]
        listings = catalogue.ensure_listings(again)
        assert len(listings) == 3
        assert Revision.objects.filter(title="새 이름").count() == 1
        assert Listing.objects.get(code="b").state == "unpublished"

    def test_tells_sellers_with_the_same_code_apart(self, own):
        apple, pear = make.seller("apple"), make.seller("pear")
        listings = catalogue.ensure_listings([self.row("a", apple), self.row("a", pear)])
        assert listings[apple.pk, "a"].pk != listings[pear.pk, "a"].pk

    def test_sees_nothing_of_another_marketplace(self):
        own, strange = make.marketplace(), make.marketplace("stranger")
        with tenancy.use(strange.pk):
            catalogue.ensure_listings([self.row("a", make.seller())])
        with tenancy.use(own.pk):
            catalogue.ensure_listings([self.row("a", make.seller())])
            assert Listing.objects.count() == 1
