import threading

import pytest

from marketplace import watchdog
from marketplace.celery import WEBHOOKS, WORK, app
from marketplace.watchdog import LOOKS, Watch


class TestLook:
    def looks(self, *seen):
        watch = Watch()
        return [
            watch.look(waiting=waiting, fetched=fetched, at_work=at_work)
            for waiting, fetched, at_work in seen
        ]

    def test_gives_up_when_nobody_fetches_what_waits(self):
        first, *others = [(5, 10, 0)] * (LOOKS + 1)
        assert self.looks(first, *others) == [False] * LOOKS + [True]

    @pytest.mark.parametrize(
        "breath",
        [(0, 10, 0), (5, 11, 0), (5, 10, 1)],
        ids=["nothing waits", "one was fetched", "one is in hand"],
    )
    def test_begins_anew_when_something_goes_on(self, breath):
        stuck = (5, 10, 0)
        told = self.looks(stuck, *[stuck] * (LOOKS - 1), breath, *[stuck] * (LOOKS - 1))
        assert not any(told)


class TestWatch:
    def test_asks_the_broker_and_ends_the_worker(self, monkeypatch):
        asked, ended = [], threading.Event()
        monkeypatch.setattr(watchdog, "_waiting", lambda *words: asked.append(words) or 1)
        queues = [WORK, WEBHOOKS]
        watchdog._watch(app, queues, 0.001, ended.set)
        assert ended.is_set()
        assert asked == [(app, queues)] * (LOOKS + 1)

    def test_leaves_a_broker_that_is_down_to_the_consumer(self, monkeypatch):
        answers = iter([OSError, OSError, OSError, OSError, OSError, *[1] * (LOOKS + 1)])
        given_up = []

        def waiting(*words):
            answer = next(answers)
            if answer is OSError:
                raise OSError("connection refused")
            return answer

        monkeypatch.setattr(watchdog, "_waiting", waiting)
        watchdog._watch(app, [WORK], 0.001, lambda: given_up.append(len(list(answers))))
        assert given_up == [0]
