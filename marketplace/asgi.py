"""The web application for a ASGI server"""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
os.environ.setdefault("JANGTEO_PROCESS", "web")

application = get_asgi_application()
