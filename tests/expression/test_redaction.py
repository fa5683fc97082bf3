from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis.strategies import text

from treetap.expression.redaction import Redaction, _words

SECRETS = """password userPassword user_password PASSWORD password2 db-passwd secret client_secret clientSecret
token access_token accessToken refresh_token authtoken csrf_token api_key apiKey APIKEY X-API-Key Authorization
Proxy-Authorization cookie Set-Cookie cookies ssn user_ssn card credit_card card_number cardNumber cvv
private_key privateKey session_id sessionid credentials aws_secret_access_key passphrase jwt auth http_auth
HTTPAuthToken id_token token_hash bearer_token pwd userpassword accesstoken""".split()
OTHERS = """mapping shipping className token_count tokens max_tokens tokenizer author authored authority
secretary discard cardinal dashboard key keys monkey keyboard primary_key pinned spinning opinion passenger
compass bypass session sessions cookiecutter number total name id user a _ __init__ x1 total_price é 名前""".split()


@pytest.mark.parametrize("name", SECRETS)
def test_it_hides_names_of_secrets(name):
    assert Redaction().hides(name)


@pytest.mark.parametrize("name", OTHERS)
def test_it_does_not_hide_other_names(name):
    assert not Redaction().hides(name)


def test_more_names_can_be_hidden():
    redaction = Redaction(["account no", "IBAN", ""])
    for name in ("account_no", "AccountNo", "my_account_no_2", "iban"):
        assert redaction.hides(name)
    assert not redaction.hides("accountant")
    assert not redaction.hides("account")


def test_text_that_is_no_name_costs_little_and_is_not_remembered():
    redaction = Redaction()
    assert not redaction.hides("x " * 1_000_000)
    for number in range(10_000):
        redaction.hides(f"name{number}")
    assert len(redaction.known) <= 4096


_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")


@given(text(alphabet="aBcDZ09_-. éÄßЖ٣²\n", max_size=20) | text(max_size=20))
def test_words_are_what_the_pattern_says(name):
    assert _words(name) == tuple(word.lower() for word in _WORD.findall(name))
