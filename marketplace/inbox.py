"""What a consumer has already acted on, so that a message which comes twice acts once."""

from django.db import connection

from marketplace import tenancy


def once(consumer: str, message) -> bool:
    """True the first time. To be called first, in the transaction of the effect.

    If that transaction rolls back, so does this record, and the next delivery tries again. A
    second delivery at the same time waits for the first one's end.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO marketplace_inboxmessage (marketplace_id, consumer, message) "
            "VALUES (%s, %s, %s) ON CONFLICT (marketplace_id, consumer, message) DO NOTHING",
            [tenancy.current_id(), consumer, str(message)],
        )
        return cursor.rowcount == 1
