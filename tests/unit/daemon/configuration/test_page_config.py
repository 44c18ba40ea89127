"""`[page]`: where the page is, and for whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.configuration import config
from daemon.errors import ConfigError

ORIGIN = Path("/etc/nusetd/nusetd.toml")
SMALL = '[[watch]]\npath = "/data/in"\noutput = "/data/out"\n'


def test_without_a_word_there_is_no_page() -> None:
    assert config.parse(SMALL, ORIGIN).page.listen is None


def test_what_is_configured_reaches_the_command() -> None:
    text = (
        '[page]\nlisten = "0.0.0.0:80"\ntoken_file = "token"\nhost_names = ["a.example", "b"]\nread_only = true\n'
        'folders = ["/data/films"]\ntls_certificate = "page.pem"\ntls_key = "page.key"\nbehind_proxy = true\n'
    )
    words = "--listen 0.0.0.0:80 --token-file /etc/nusetd/token --tls-certificate /etc/nusetd/page.pem "
    words += "--tls-key /etc/nusetd/page.key --host-name a.example --host-name b --folder /data/films --behind-proxy "
    assert config.parse(SMALL + text, ORIGIN).page.arguments() == [*words.split(), "--read-only"]


def test_rules_of_jobs_reach_the_command_where_they_are_not_the_usual_ones() -> None:
    text = '[page]\nlisten = "127.0.0.1:80"\njobs = "work"\njob_cores = 3\nupload_mb = 10\nupload_files = 200\n'
    words = "--listen 127.0.0.1:80 --jobs /etc/nusetd/work --job-cores 3 --upload-mb 10"
    assert config.parse(SMALL + text, ORIGIN).page.arguments() == words.split()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('listen = "8765"', "is no address"),
        ('listen = "127.0.0.1:0"', "is no address"),
        ('listen = "0.0.0.0:8765"', "can be reached from other computers, or through a proxy: name a token_file"),
        ('listen = "0.0.0.0:8765"', "could be read on the way: name tls_certificate"),
        ('listen = "127.0.0.1:8765"\nbehind_proxy = true', "through a proxy: name a token_file"),
        ('listen = "127.0.0.1:8765"\ntls_key = "key"', "TLS needs both files"),
        ('listne = "127.0.0.1:8765"', "did you mean listen"),
        ("upload_mb = 0", "upload_mb = 0 must be a whole number of at least 1"),
        ("read_only = 1", "read_only = 1 must be true or false"),
    ],
)
def test_faults_are_told_with_their_line(text: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault) as raised:
        config.parse(f"{SMALL}[page]\n{text}\n", ORIGIN)
    assert "line 5" in str(raised.value)
