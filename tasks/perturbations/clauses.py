"""A clause that is always true, appended to the hypothesis: the label stays what it is.

Naik et al. 2018 append 'and true is true' to the hypotheses of MNLI: a model that counts the words
that premise and hypothesis share is misled. The clauses in XNLI's other languages are this
project's own translations, not checked by native speakers of all of them.
"""

from tasks import languages
from tasks.errors import DataError

CLAUSES = {
    "ar": " وما هو صحيح صحيح",
    "bg": " и вярното е вярно",
    "de": " und wahr ist wahr",
    "el": " και το αληθές είναι αληθές",
    "en": " and true is true",
    "es": " y lo verdadero es verdadero",
    "fr": " et ce qui est vrai est vrai",
    "hi": " और सच सच है",
    "ru": " и истина есть истина",
    "sw": " na kweli ni kweli",
    "th": " และความจริงก็คือความจริง",
    "tr": " ve doğru olan doğrudur",
    "ur": " اور سچ سچ ہے",
    "vi": " và sự thật là sự thật",
    "zh": "，而真的就是真的",
}
_STOPS = ".!?。！？।۔؟ \t"


def check(language: str) -> None:
    """Raises a DataError where there is no clause in a language."""
    if language not in CLAUSES:
        raise DataError(
            f"there is no clause in the language '{language}'; there is one in "
            f"{' '.join(languages.XNLI)}"
        )


def append(inputs: str, language: str) -> str:
    """Returns an NLI input with the clause before the hypothesis's full stop, where it has one.

    The hypothesis is the last part of the input.
    """
    body = inputs.rstrip(_STOPS)
    return body + CLAUSES[language] + inputs[len(body) :]
