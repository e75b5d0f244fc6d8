"""The web application for a WSGI server: gunicorn marketplace.wsgi"""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
os.environ.setdefault("JANGTEO_PROCESS", "web")

application = get_wsgi_application()

# After the application, which loads the apps; before any request.
from marketplace import checks  # noqa: E402

checks.require_weak_role()
