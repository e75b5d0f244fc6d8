"""gunicorn that ends with its rehearsal. Run with gunicorn's own arguments."""

import sys

from gunicorn.app.wsgiapp import run

from settlements.crashes import orphans

if __name__ == "__main__":
    orphans.end_with_rehearsal()
    sys.exit(run())
