"""Names: which entry of the price table a provider and model of a span mean. Data, and the order in which it is tried."""

import re
from collections.abc import Iterator

PROVIDER_IDS: dict[str, str] = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "gcp.gen_ai": "google",
    "aws.bedrock": "aws",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "together_ai": "together",
    "together-ai": "together",
    "fireworks_ai": "fireworks",
    "fireworks-ai": "fireworks",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "voyage": "voyageai",
    "voyage_ai": "voyageai",
    "z_ai": "zai",
    "z-ai": "zai",
    "zhipu": "zhipuai",
    "github_copilot": "github-copilot",
    "workers-ai": "cloudflare",
    "gemini": "google",
    "vertex_ai": "google",
    "bedrock": "aws",
}
"""Canonical provider, or vendor prefix of a model -> id in the price table, where the two differ."""

SPEAK_FOR_OTHERS = frozenset({"openai", "openrouter", "litellm", "langdb", "portkey", "vercel", "unknown", ""})
"""Providers behind which a model of any vendor may be: gateways, and clients pointed at another vendor's address."""

OWN_NAMES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"gemini-"), "google"),
    (re.compile(r"grok-"), "x-ai"),
    (re.compile(r"deepseek-(chat|reasoner)\b"), "deepseek"),
)
"""Models that only their vendor sells under this name: start of the model -> id in the price table."""

_BEDROCK_NAME = re.compile(r"((us|us-gov|eu|apac|ap|jp|au|ca|global)\.)?(ai21|amazon|anthropic|cohere|deepseek|meta|mistral)\.")
_RESOURCE_PATH = re.compile(r"^.*\bmodels/")
_VERSION_MARK = re.compile(r"@[^@]*$")


def references(provider: str | None, model: str) -> Iterator[tuple[str | None, str]]:
    """(id in the price table, model name) to try, most literal first. An id of None asks for the vendor of the model name."""
    provider = (provider or "").lower()
    own = PROVIDER_IDS.get(provider, provider)
    names = _names(model.lower().strip())
    if provider not in ("", "unknown"):
        for name in names:
            yield own, name
    for name in names:
        vendor, _, rest = name.partition("/")
        vendor = PROVIDER_IDS.get(vendor, vendor)
        if rest and (vendor == own or provider in SPEAK_FOR_OTHERS):
            yield vendor, rest
    if _BEDROCK_NAME.match(names[0]):
        yield "aws", names[0]
    if provider in SPEAK_FOR_OTHERS:
        for name in names:
            for start, vendor in OWN_NAMES:
                if start.match(name):
                    yield vendor, name
    if provider in ("", "unknown"):
        for name in names:
            yield None, name


def _names(model: str) -> list[str]:
    """The model as sent, without the path of a resource name, without a version mark."""
    bare = _RESOURCE_PATH.sub("", model)
    return list(dict.fromkeys((model, bare, _VERSION_MARK.sub("", bare))))
