"""``config.toml`` as the running daemon has it: shown, checked, changed and read again.

A setting that is *hot* holds from the change on; another from the daemon's next start on, and the
change says so. What the command line or the environment gives, wins over the file, here too.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from treetap.config import sources
from treetap.config.daemon import KEYS, DaemonConfig, examine
from treetap.config.settings import SETTINGS, Settings, resolve
from treetap.daemon import config_text
from treetap.daemon.link_session import LinkLimits
from treetap.errors import ConfigError
from treetap.link import auth
from treetap.link.address import is_loopback
from treetap.store.retention import Retention

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

_DAY_S = 24 * 3600.0
#: The home is where the file is found: it can't say where that is.
_IN_THE_FILE = [name for name in SETTINGS if name != "home"]


class Change(NamedTuple):
    """What became of an update or a reload.

    Attributes:
        applied: Keys whose new value holds now.
        waiting: Keys whose new value holds from the next start on.
        warnings: What else somebody should know.
    """

    applied: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Configuration:
    """One daemon's. Belongs to the loop's thread.

    Args:
        home: Directory of ``config.toml`` and of the token's file.
        arguments: Of the command line, by ``table.key``; those of all programs by their name.
        environ: Environment; that of the process if not given.

    Raises:
        ConfigError: Something in the file can't be used.
    """

    def __init__(
        self,
        home: Path,
        arguments: Mapping[str, Any] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.path = home / "config.toml"
        self._home = home
        self._arguments = dict(arguments or {})
        self._environ = dict(os.environ if environ is None else environ)
        # What was changed by a request that didn't want it kept; until a reload.
        self._overlay: dict[str, Any] = {}
        self._on_change: list[Callable[[Change], None]] = []
        self.token_complaint = ""
        self.settings, self.current = self._resolved(self._file())
        self.token = self._token()

    def when_changed(self, function: Callable[[Change], None]) -> None:
        """Call ``function`` after each change; who reads ``current`` when needed, needs no call."""
        self._on_change.append(function)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names under which the API may be reached, beside loopback's."""
        return (self.current.daemon.host, *self.current.daemon.allowed_hosts)

    @property
    def retention(self) -> Retention:
        kept = self.current.store
        return Retention(kept.max_age_days * _DAY_S, int(kept.max_size_mib * 2**20))

    @property
    def link_limits(self) -> LinkLimits:
        link = self.current.link
        return LinkLimits(link.handshake_timeout_s, int(link.max_unsent_mib * 2**20))

    def text(self) -> str:
        """All that holds now, as TOML; secrets are left out."""
        return config_text.shown(self.settings, self.current, has_token=bool(self.token))

    def problems(self, text: str) -> tuple[list[str], list[str]]:
        """What is wrong with a file of this text, and what else is to be said about it.

        Returns:
            Errors and warnings, each a line.
        """
        try:
            file = config_text.parsed(text)
        except ConfigError as exc:
            return [exc.line], []
        errors = [error.line for error in self._problems(file)]
        if errors:
            return errors, []
        settings, config = self._resolved(file)
        return [], self._warnings(file, settings, config)

    def update(self, text: str, *, persist: bool) -> Change:
        """Change the settings that ``text`` has; the others stay.

        Args:
            text: Some of a ``config.toml``.
            persist: Write them into the file, whose comments stay; else they hold until the
                daemon ends or reads its file again.

        Raises:
            ConfigError: It is no TOML (slug ``config-file``), has what can't be used
                (``config-value``, ``config-unknown``), or the file can't be written.
        """
        partial = config_text.without_redacted(config_text.parsed(text), self.current)
        overlay = config_text.merged(self._overlay, partial)
        settings, config = self._resolved(config_text.merged(self._file(), overlay))
        if persist:
            config_text.write(self.path, partial)
            overlay = config_text.without(self._overlay, partial)
        self._overlay = overlay
        return self._take(settings, config, partial)

    def reload(self) -> Change:
        """Read the file, and the token's, again.

        Raises:
            ConfigError: Something in it can't be used; nothing is changed then.
        """
        file = self._file()
        settings, config = self._resolved(file)
        self._overlay = {}
        return self._take(settings, config, file)

    # -- inside -------------------------------------------------------------------------------

    def _take(self, settings: Settings, config: DaemonConfig, file: Mapping[str, Any]) -> Change:
        old_settings, old, old_token = self.settings, self.current, self.token
        changed = [key for key in KEYS if config.value(key) != old.value(key)]
        waiting = [key for key in changed if not KEYS[key].is_hot]
        applied = [key for key in changed if KEYS[key].is_hot]
        # What needs a restart is what it was: nobody shall think that it is otherwise.
        self.current = _with_cold(config, old)
        self.settings = settings
        self.token = self._token()
        if self.token != old_token:
            applied.append("token")
        if settings.trust_loopback != old_settings.trust_loopback:
            applied.append("trust_loopback")
        warnings = self._warnings(file, settings, config)
        change = Change(tuple(applied), tuple(waiting), tuple(warnings))
        if applied or waiting:
            for function in self._on_change:
                function(change)
            log.info(
                "settings changed: %s; after a restart: %s",
                ", ".join(applied) or "none",
                ", ".join(waiting) or "none",
            )
        return change

    def _file(self) -> dict[str, Any]:
        return sources.whole_file(str(self.path))

    def _resolved(self, file: Mapping[str, Any]) -> tuple[Settings, DaemonConfig]:
        problems = self._problems(file)
        if problems:
            raise problems[0]
        settings = self._settings(file)
        return settings, examine(
            self._arguments, self._environ, file, daemon_url=settings.daemon_url
        )[0]

    def _settings(self, file: Mapping[str, Any]) -> Settings:
        top = {name: value for name, value in file.items() if not isinstance(value, dict)}
        given = {name: value for name, value in self._arguments.items() if "." not in name}
        return resolve({**given, "home": str(self._home)}, self._environ, file=top)

    def _problems(self, file: Mapping[str, Any]) -> list[ConfigError]:
        problems = [
            ConfigError(
                f"There is no setting {name} in config.toml.",
                f"Those above the first table are: {', '.join(_IN_THE_FILE)}.",
                slug="config-unknown",
            )
            for name, value in file.items()
            if not isinstance(value, dict) and name not in _IN_THE_FILE
        ]
        try:
            self._settings(file)
        except ConfigError as exc:
            problems.append(exc)
        return problems + examine(self._arguments, self._environ, file)[1]

    def _warnings(
        self, file: Mapping[str, Any], settings: Settings, config: DaemonConfig
    ) -> list[str]:
        warnings = [
            f"{key} is given by {config.origin(key)}, which wins over config.toml."
            for key in KEYS
            if config_text.has(file, key) and config.origin(key) not in ("config.toml", "default")
        ]
        warnings += [
            f"{name} is given by {settings.origin(name)}, which wins over config.toml."
            for name in _IN_THE_FILE
            if name in file and settings.origin(name) != "config.toml"
        ]
        if not is_loopback(config.daemon.host) and not (settings.token or self._token()):
            warnings.append(
                f"The API listens on {config.daemon.host}, and there is no token: nobody on another "
                "machine can use it."
            )
        return warnings

    def _token(self) -> str:
        self.token_complaint = ""
        if self.settings.token:
            return str(self.settings.token)
        token, self.token_complaint = auth.read_token(str(self._home / "token"))
        return token


def _with_cold(config: DaemonConfig, old: DaemonConfig) -> DaemonConfig:
    """``config``, but for what a running daemon can't change: that as in ``old``."""
    for key, about in KEYS.items():
        if not about.is_hot:
            table, _, name = key.partition(".")
            section = getattr(config, table)._replace(**{name: old.value(key)})
            config = config._replace(**{table: section})
    return config
