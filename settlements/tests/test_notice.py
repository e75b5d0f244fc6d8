from datetime import date

import pytest

from settlements import notice

SEP_1 = date(2026, 9, 1)


class TestEnsure:
    @pytest.mark.parametrize(
        ("valid_from", "days"),
        [(date(2026, 10, 1), 30), (date(2026, 12, 1), 30), (SEP_1, 0)],
    )
    def test_lets_a_version_begin_once_its_notice_has_passed(self, valid_from, days):
        notice.ensure(valid_from, published_on=SEP_1, notice_days=days)

    def test_refuses_the_day_before_and_names_the_first_that_would_do(self):
        with pytest.raises(notice.NoticeTooShort) as refused:
            notice.ensure(date(2026, 9, 30), published_on=SEP_1, notice_days=30)
        assert refused.value.params["earliest"] == date(2026, 10, 1)
        assert "begin on 2026-10-01 or later" in str(refused.value)
