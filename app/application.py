"""build_app(): the one place that knows every part of the shop."""

from flask import Flask
from sqlalchemy.orm import configure_mappers

from app import accounts, admin, api, audit, cli, db, errors, http, metrics, payments, queue, site, webhooks
from app import settings as shop_settings
from app.accounts import tasks as accounts_tasks
from app.blog import models as blog_models
from app.blog import reads
from app.catalog import models as catalog_models
from app.catalog import tasks as catalog_tasks
from app.checkout import models as checkout_models
from app.checkout import tasks as checkout_tasks
from app.config import Settings, load_settings
from app.enrollment import holders as enrollment_holders
from app.enrollment import models as enrollment_models
from app.extensions import babel, compress, csrf, limiter, migrate
from app.formatting import FILTERS
from app.limit_storage import ThreadSafeMemoryStorage
from app.mail import delivery
from app.mail import tasks as mail_tasks
from app.media import models as media_models
from app.newsletter import models as newsletter_models

# Models, tasks, ways of counting and the storage of limits register themselves when they are imported.
REGISTERED = (
    ThreadSafeMemoryStorage,
    accounts_tasks,
    blog_models,
    catalog_models,
    catalog_tasks,
    checkout_models,
    checkout_tasks,
    enrollment_holders,
    enrollment_models,
    mail_tasks,
    media_models,
    newsletter_models,
)


def build_app(settings: Settings | None = None) -> Flask:
    """A ready application. Without settings they are read from the environment; raises ConfigError when unsafe."""
    settings = settings or load_settings()
    app = Flask(__name__, instance_path=str(settings.instance_path), static_folder=None)
    app.config.update(
        SETTINGS=settings,
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        # As many connections as a server may have threads: a thread must not wait for another's page to end.
        SQLALCHEMY_ENGINE_OPTIONS={"pool_pre_ping": True, "pool_size": 10, "max_overflow": 118, "pool_timeout": 10},
        TESTING=settings.app_env == "test",
        BABEL_DEFAULT_LOCALE=settings.site_locale,
        BABEL_DEFAULT_TIMEZONE=settings.site_timezone,
        RATELIMIT_STORAGE_URI=settings.redis_url or "exact-memory://",
        RATELIMIT_STRATEGY="moving-window",
        RATELIMIT_HEADERS_ENABLED=False,
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_MIN_SIZE=500,
        COMPRESS_BR_LEVEL=4,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.jinja_env.filters.update(FILTERS)
    app.jinja_options = {"trim_blocks": True, "lstrip_blocks": True}
    db.init_app(app)
    migrate.init_app(app, db.db, render_as_batch=True, compare_type=True)
    shop_settings.init_app(app)
    queue.init_app(app, settings)
    delivery.init_app(app, settings)
    payments.init_app(app, settings)
    babel.init_app(app)
    csrf.init_app(app)
    limiter.init_app(app)
    compress.init_app(app)
    metrics.init_app(app)
    http.init_app(app, settings)
    audit.init_app(app)
    reads.init_app(app)
    errors.init_app(app)
    accounts.init_app(app, settings)
    for audience in (site, api, admin, webhooks, cli):
        audience.init_app(app)
    configure_mappers()
    return app
