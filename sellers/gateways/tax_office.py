"""The National Tax Service's status inquiry (국세청 사업자등록정보 상태조회), called over HTTPS.

It takes up to 100 numbers a call, and a key of the public data portal (data.go.kr) that belongs to
the installation. `b_stt_cd` is 01 for 계속사업자, 02 for 휴업자 and 03 for 폐업자, and empty for a
number that is not registered; `end_dt` is the day on which a business closed. Source: the portal's
description of 국세청_사업자등록정보 진위확인 및 상태조회 서비스; it was not called with a real key.
"""

import json
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import quote

import httpcore

from marketplace.webhooks import targets
from sellers import business_rules
from sellers.gateways.interface import MOST_NUMBERS, NoAnswer, Said

SECONDS: Final = 10
MOST_BYTES: Final = 1_000_000
_STATUSES: Final[Mapping[str, str]] = {
    "01": business_rules.OPERATING,
    "02": business_rules.SUSPENDED,
    "03": business_rules.CLOSED,
    "": business_rules.UNREGISTERED,
}


@dataclass(frozen=True, slots=True)
class TaxOffice:
    url: str
    key: str
    seconds: float = SECONDS

    def __repr__(self) -> str:
        return f"TaxOffice({self.url!r})"  # never the key in a log

    def ask(self, numbers: Sequence[str]) -> Mapping[str, Said]:
        if not self.key:
            raise NoAnswer("no key of the tax office's service is set")
        asked = set(numbers[:MOST_NUMBERS])
        answer = self._call({"b_no": sorted(asked)})
        if not isinstance(answer, dict) or answer.get("status_code") != "OK":
            raise NoAnswer("the tax office's service refused the question")
        rows = answer.get("data")
        if not isinstance(rows, list):
            raise NoAnswer("the tax office's answer cannot be read")
        return {
            str(row["b_no"]): said
            for row in rows
            if isinstance(row, dict)
            and str(row.get("b_no")) in asked
            and (said := _said(row)) is not None
        }

    def _call(self, body: dict[str, Any]) -> Any:
        backend = targets.Guarded(time.monotonic() + self.seconds)
        context = ssl.create_default_context()
        address = f"{self.url}/status?serviceKey={quote(self.key, safe='%')}&returnType=JSON"
        headers = [("Content-Type", "application/json"), ("Accept", "application/json")]
        content = json.dumps(body).encode()
        try:
            targets.check(self.url)
            with (
                httpcore.ConnectionPool(ssl_context=context, network_backend=backend) as pool,
                pool.stream("POST", address, headers=headers, content=content) as response,
            ):
                if response.status != 200:
                    raise NoAnswer(f"the tax office's service answered {response.status}")
                found = b""
                for part in response.iter_stream():
                    found += part
                    if len(found) > MOST_BYTES:
                        raise NoAnswer("the tax office's answer is too long")
            return json.loads(found)
        except targets.NotATarget:
            raise NoAnswer("the service's address is not public") from None
        except (
            httpcore.TimeoutException,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            OSError,
            ValueError,
        ) as error:
            raise NoAnswer(type(error).__name__) from None


def _said(row: dict[str, Any]) -> Said | None:
    """What a row says; None for a word that is not known, which may mean anything."""
    status = _STATUSES.get(str(row.get("b_stt_cd") or ""))
    if status is None:
        return None
    return Said(status, _day(row.get("end_dt")) if status == business_rules.CLOSED else None)


def _day(text: Any) -> date | None:
    try:
        return datetime.strptime(str(text), "%Y%m%d").date()  # noqa: DTZ007 (a day, no moment)
    except ValueError:
        return None
