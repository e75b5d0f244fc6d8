"""Words on a Korean page that were left in English."""

import re

# Names and signs that are the same in Korean.
SAME = {
    # names that people of the tests gave: of a key, a sender, a profile
    "checkout",
    "simulation",
    "olist",
    "CU",  # a carrier
    "ppm",  # a unit
    "Jangteo",
    "English",
    "CSV",
    "XLSX",
    "XML",
    "API",
    "VAT",
    "KRW",
    "PDF",
    "ID",
    "URL",
    "OK",
    "SKU",
    "gzip",
    "Python",
}
_WORD = re.compile(r"(?<![\w@./:#…-])[A-Za-z]{2,}(?![\w@./:-])")


def english(text: str) -> list[str]:
    """Words of Latin letters that are neither a name nor part of an address, code or number."""
    return sorted({word for word in _WORD.findall(text) if word not in SAME})
