"""Sales that the marketplace itself issues towards buyers, as SQL over settlement lines asks.

Of such a sale the marketplace owes the VAT, and takes it off its seller. Who issues is a term of
the seller's contract by the line's rate date (settlements.contracts). In the texts `l` is a
settlement line; the parameter `marketplace` is wanted.
"""

from typing import Final

from settlements.fee_rules import SALE_VAT_RULE
from settlements.models import SellerContract

# The last charge of terms is the VAT of the sale, where they take it.
SALE_VAT: Final = f"""
CASE WHEN l.kind <> 3 AND l.terms_id IN (
    SELECT id FROM settlements_lineterms
    WHERE marketplace_id = %(marketplace)s AND key #> '{{2,-1,0}}' = '{SALE_VAT_RULE.id}'
) THEN l.charges[cardinality(l.charges) - 1] ELSE 0 END
"""  # noqa: S608 (all parts are constants)

BY_PLATFORM: Final = f"""
(l.seller_id IN (
    SELECT seller_id FROM settlements_sellercontract
    WHERE marketplace_id = %(marketplace)s AND sale_issuer = '{SellerContract.Issuer.PLATFORM}'
      AND state = 'published'
) AND (
    SELECT sale_issuer = '{SellerContract.Issuer.PLATFORM}' FROM settlements_sellercontract
    WHERE marketplace_id = %(marketplace)s AND seller_id = l.seller_id AND state = 'published'
      AND valid_from <= l.rate_on
    ORDER BY valid_from DESC LIMIT 1
) IS TRUE)
"""  # noqa: S608 (all parts are constants)
