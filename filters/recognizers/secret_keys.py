"""Keys and tokens of services: how each is spelled, and where that is published.

`API_KEYS` is the table. A key that bears a prefix of its own is found anywhere; one that does not
is found only after a word that says what follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from .anchored import AnchoredPattern, after
from .secret_checks import checksum62, mixed, past_padding, plausible, snowflake

if TYPE_CHECKING:
    from presidio_analyzer import Pattern

_ANY: Final = r"[A-Za-z0-9_.+/=%-]{8}"
_EDGE: Final = r"(?![\w-])"


@dataclass(frozen=True)
class ApiKey:
    """One kind of key: name, what it starts with, what follows, and who published that.

    `lead` is what must stand in front of a key that bears no prefix; `anchor` is what to look for
    where the prefix says too little.
    """

    name: str
    prefix: str
    rest: str
    source: str
    lead: str = ""
    anchor: str = ""
    check: Callable[[str], bool] = plausible

    @property
    def pattern(self) -> Pattern:
        """What to look for."""
        key = f"(?:{self.prefix})(?:{self.rest})"
        if self.lead:
            return after(self.name, self.lead, rf"{key}(?![\w/+=-])", 0.9, anchor=self.anchor)
        anchor = self.anchor or rf"\b(?-i:{self.prefix}){_ANY}"
        return AnchoredPattern(self.name, rf"(?<![\w-]){key}{_EDGE}", 0.9, anchor)

    @cached_property
    def shape(self) -> re.Pattern[str]:
        """What a whole key looks like."""
        return re.compile(f"(?:{self.prefix})(?:{self.rest})")


def is_key(text: str) -> bool:
    """Say whether a text is a key of some service, by what that service published.

    >>> is_key("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")
    True
    >>> is_key("ghp_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18")  # the checksum is wrong
    False
    """
    kinds = [key for key in API_KEYS if key.shape.fullmatch(text)]
    own = [key for key in kinds if not key.lead]
    return any(key.check(text) for key in own or kinds)


# Between a name and its value in code, configuration and prose.
_IS: Final = r"""["'`\]]{0,2}\s{0,4}(?::=|=>|==|[=:]|,|\bis\b)\s{0,4}["'`]{0,2}"""
_HUB: Final = "GitHub: supported secret scanning patterns"

API_KEYS: Final = (
    # Clouds.
    ApiKey("AWS key id", r"AKIA|ASIA|ABIA|ACCA", r"[A-Z2-7]{16}", "AWS IAM: unique identifiers"),
    ApiKey(
        "AWS secret key",
        "",
        r"[A-Za-z0-9/+]{40}",
        "AWS IAM: access keys",
        lead=r"(?i:aws[a-z0-9_. -]{0,20}(?:secret|key)[a-z_. -]{0,20}"
        rf"|secret[-_ ]?access[-_ ]?key){_IS}",
        check=mixed,
    ),
    ApiKey("Google API key", r"AIza", r"[A-Za-z0-9_-]{35}", "Google Cloud: API keys"),
    ApiKey("Google OAuth token", r"ya29\.", r"[A-Za-z0-9_-]{20,1000}", "Google: OAuth 2.0"),
    ApiKey("Google OAuth secret", r"GOCSPX-", r"[A-Za-z0-9_-]{28}", "Google: OAuth 2.0"),
    ApiKey("Google HMAC key id", r"GOOG1E", r"[A-Z0-9]{56}", "Google Cloud Storage: HMAC keys"),
    ApiKey(
        "Azure storage key",
        "",
        r"[A-Za-z0-9+/]{86}==",
        "Azure Storage: connection strings",
        lead=r"(?i:account_?key)\s?[=:]\s?[\"']?",
        check=mixed,
    ),
    ApiKey(
        "Azure shared access key",
        "",
        r"[A-Za-z0-9+/]{43}=",
        "Azure Service Bus, Event Hubs: connection strings",
        lead=r"(?i:shared_?access_?key)\s?[=:]\s?[\"']?",
        check=mixed,
    ),
    ApiKey(
        "Azure shared access signature",
        "",
        r"[A-Za-z0-9%+/]{40,120}=?",
        "Azure Storage: shared access signatures",
        lead=r"[?&;]sig=",
        check=mixed,
    ),
    ApiKey(
        "Azure client secret",
        "",
        r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",
        "Microsoft Entra: client secrets",
        anchor=r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{16}",
    ),
    ApiKey("Alibaba key id", r"LTAI", r"[A-Za-z0-9]{20}", "Alibaba Cloud: AccessKey pairs"),
    ApiKey("Tencent key id", r"AKID", r"[A-Za-z0-9]{32}", "Tencent Cloud: CAM access keys"),
    ApiKey("DigitalOcean token", r"do[opr]_v1_", r"[a-f0-9]{64}", "DigitalOcean: API tokens"),
    ApiKey("Heroku key", r"HRKU-AA", r"[A-Za-z0-9_-]{58}", "Heroku: platform API"),
    ApiKey("Fly token", r"fm[12][ar]?_", r"[A-Za-z0-9+/=]{100,800}", "Fly.io: access tokens"),
    ApiKey("Databricks token", r"dapi", r"[a-f0-9]{32}(?:-[0-9])?", "Databricks: access tokens"),
    ApiKey("Supabase token", r"sbp_|sb_secret_", r"[A-Za-z0-9_-]{31,40}", "Supabase: API keys"),
    ApiKey(
        "PlanetScale token",
        r"pscale_(?:tkn|oauth|pw)_",
        r"[A-Za-z0-9_.=-]{32,64}",
        "PlanetScale: service tokens",
    ),
    ApiKey("Netlify token", r"nfp_", r"[A-Za-z0-9]{36}", "Netlify: access tokens"),
    ApiKey(
        "Cloudflare origin key",
        r"v1\.0-[a-f0-9]{24}-",
        r"[a-f0-9]{146}",
        "Cloudflare: origin CA keys",
    ),
    ApiKey(
        "Tailscale key",
        r"tskey-[a-z]{3,7}-",
        r"[A-Za-z0-9]{10,20}(?:CNTRL)?-[A-Za-z0-9]{20,40}",
        "Tailscale: key prefixes",
    ),
    # Code, packages, builds.
    ApiKey(
        "GitHub token", r"gh[pousr]_", r"[A-Za-z0-9]{36}", "GitHub: token formats", check=checksum62
    ),
    ApiKey(
        "GitHub fine-grained token",
        r"github_pat_",
        r"[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
        "GitHub: token formats",
    ),
    ApiKey(
        "GitLab token",
        r"gl(?:pat|ptt|rt|dt|ft|soat|cbt|imt|agent|oas)-",
        r"[A-Za-z0-9_-]{20,300}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?",
        "GitLab: token prefixes",
    ),
    ApiKey("Bitbucket password", r"ATBB", r"[A-Za-z0-9]{24,32}", "Bitbucket: app passwords"),
    ApiKey("npm token", r"npm_", r"[A-Za-z0-9]{36}", "npm: token format", check=checksum62),
    ApiKey(
        "PyPI token",
        r"pypi-AgE(?:IcHlwaS5vcmc|NdGVzdC5weXBpLm9yZw)",
        r"[A-Za-z0-9_-]{50,500}",
        "PyPI: API tokens",
    ),
    ApiKey(
        "crates.io token",
        r"cio",
        r"[A-Za-z0-9]{32}",
        "crates.io: API tokens",
        anchor=r"\b(?-i:cio)[A-Za-z0-9]{32}\b",
        check=mixed,
    ),
    ApiKey("RubyGems key", r"rubygems_", r"[a-f0-9]{48}", "RubyGems: API keys"),
    ApiKey("NuGet key", r"oy2", r"[a-z0-9]{43}", "NuGet: API keys"),
    ApiKey("Docker token", r"dckr_[op]at_", r"[A-Za-z0-9_-]{27,36}", "Docker: access tokens"),
    ApiKey("Artifactory key", r"AKCp", r"[A-Za-z0-9]{69}", "JFrog: API keys"),
    ApiKey("SonarQube token", r"sq[pau]_", r"[a-f0-9]{40}", "SonarQube: tokens"),
    ApiKey("CircleCI token", r"CCIPAT_", r"[A-Za-z0-9]{22}_[a-f0-9]{40}", "CircleCI: API tokens"),
    ApiKey("Buildkite token", r"bkua_", r"[a-z0-9]{40}", "Buildkite: API access tokens"),
    ApiKey(
        "Terraform token",
        "",
        r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,70}",
        "HCP Terraform: API tokens",
        anchor=r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9]",
    ),
    ApiKey("Vault token", r"hv[sbr]\.", r"[A-Za-z0-9_-]{24,200}", "HashiCorp Vault: tokens"),
    ApiKey("Pulumi token", r"pul-", r"[a-f0-9]{40}", "Pulumi: access tokens"),
    ApiKey(
        "Doppler token",
        r"dp\.(?:pt|st|ct|sa|scim|audit)\.",
        r"[A-Za-z0-9_.-]{40,80}",
        "Doppler: token formats",
    ),
    ApiKey("1Password token", r"ops_eyJ", r"[A-Za-z0-9+/=_-]{250,1000}", "1Password: accounts"),
    ApiKey("Postman key", r"PMAK-", r"[a-f0-9]{24}-[a-f0-9]{34}", "Postman: API keys"),
    ApiKey("Prefect key", r"pn[ub]_", r"[A-Za-z0-9]{36}", "Prefect: API keys"),
    # Models.
    ApiKey(
        "OpenAI key",
        r"sk-(?:proj|svcacct|admin|None)-",
        r"[A-Za-z0-9_-]{20,200}",
        "OpenAI: API keys",
    ),
    ApiKey("OpenAI user key", r"sk-", r"[A-Za-z0-9]{32,64}", "OpenAI: API keys"),
    ApiKey(
        "Anthropic key",
        r"sk-ant-[a-z]{3,5}[0-9]{2}-",
        r"[A-Za-z0-9_-]{40,120}",
        "Anthropic: API keys",
    ),
    ApiKey("OpenRouter key", r"sk-or-v1-", r"[a-f0-9]{64}", "OpenRouter: API keys"),
    ApiKey(
        "Hugging Face token", r"hf_|api_org_", r"[A-Za-z0-9]{34}", "Hugging Face: access tokens"
    ),
    ApiKey("Replicate token", r"r8_", r"[A-Za-z0-9]{37}", "Replicate: API tokens"),
    ApiKey("Groq key", r"gsk_", r"[A-Za-z0-9]{52}", "Groq: API keys"),
    ApiKey("Perplexity key", r"pplx-", r"[A-Za-z0-9]{48}", "Perplexity: API keys"),
    ApiKey("xAI key", r"xai-", r"[A-Za-z0-9]{80}", "xAI: API keys"),
    ApiKey("LangSmith key", r"lsv2_[ps][tk]_", r"[a-f0-9]{32}_[a-f0-9]{10}", "LangSmith: keys"),
    # Messages and mail.
    ApiKey("Slack token", r"xox[abceoprs]-", r"[A-Za-z0-9-]{16,250}", "Slack: token types"),
    ApiKey(
        "Slack app token",
        r"xapp-[0-9]-",
        r"[A-Z0-9]{8,14}-[0-9]{10,14}-[a-f0-9]{64}",
        "Slack: token types",
    ),
    ApiKey(
        "Slack webhook",
        r"https://hooks\.slack\.com/",
        r"(?:services|workflows|triggers)/[A-Z0-9]{8,12}/[A-Z0-9]{8,12}/[A-Za-z0-9]{20,26}",
        "Slack: incoming webhooks",
    ),
    ApiKey(
        "Discord token",
        r"[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.",
        r"[A-Za-z0-9_-]{27,38}",
        "Discord: authentication",
        check=snowflake,
    ),
    ApiKey(
        "Discord webhook",
        r"https://discord(?:app)?\.com/api/webhooks/",
        r"[0-9]{17,20}/[A-Za-z0-9_-]{60,72}",
        "Discord: webhooks",
    ),
    ApiKey("Telegram token", r"[0-9]{8,10}:A", r"[A-Za-z0-9_-]{34}", "Telegram: Bot API"),
    ApiKey(
        "Twilio key",
        r"SK|AC",
        r"[0-9a-f]{32}",
        "Twilio: API keys",
        lead=r"(?i:twilio|account[ _-]?sid|api[ _-]?(?:key|sid))[^\n]{0,40}?\b",
        anchor=r"\b(?-i:SK|AC)[0-9a-f]{32}",
    ),
    ApiKey(
        "SendGrid key",
        r"SG\.",
        r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}",
        "SendGrid: API keys",
    ),
    ApiKey(
        "Mailgun key",
        r"(?:pub)?key-",
        r"[a-f0-9]{32}",
        "Mailgun: API keys",
        anchor=r"(?-i:(?:pub)?key-)[a-f0-9]{32}",
    ),
    ApiKey(
        "Mailchimp key",
        "",
        r"[a-f0-9]{32}-us[0-9]{1,2}",
        "Mailchimp: API keys",
        anchor=r"[a-f0-9]{32}-us[0-9]",
    ),
    ApiKey("Brevo key", r"xkeysib-", r"[a-f0-9]{64}-[A-Za-z0-9]{16}", "Brevo: API keys"),
    ApiKey(
        "X bearer token",
        r"A{21}",
        r"[A-Za-z0-9%]{60,160}",
        "X API: bearer tokens",
        anchor=r"\b(?-i:A{21,26}[B-Za-z0-9%])",
        check=past_padding,
    ),
    ApiKey("Facebook token", r"EAACEdEose0cBA|EAAM", r"[A-Za-z0-9]{80,300}", "Meta: access tokens"),
    # Money and shops.
    ApiKey("Stripe key", r"[sr]k_(?:live|test|prod)_", r"[A-Za-z0-9]{16,247}", "Stripe: API keys"),
    ApiKey("Stripe webhook secret", r"whsec_", r"[A-Za-z0-9+/]{32,64}", "Stripe: webhooks"),
    ApiKey("Square token", r"sq0(?:atp|csp)-", r"[A-Za-z0-9_-]{22,43}", "Square: access tokens"),
    ApiKey("Shopify token", r"shp(?:at|ca|pa|ss)_", r"[a-fA-F0-9]{32}", "Shopify: access tokens"),
    ApiKey(
        "Plaid token",
        r"access-(?:sandbox|development|production)-",
        r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "Plaid: API tokens",
    ),
    ApiKey("Flutterwave key", r"FLWSECK(?:_TEST)?-", r"[a-h0-9]{12,32}-X", "Flutterwave: API keys"),
    ApiKey("Shippo token", r"shippo_(?:live|test)_", r"[a-f0-9]{40}", "Shippo: API tokens"),
    ApiKey("EasyPost key", r"EZ[AT]K", r"[A-Za-z0-9]{54}", "EasyPost: API keys"),
    # Work and monitoring.
    ApiKey("Atlassian token", r"ATATT3", r"[A-Za-z0-9_=-]{160,220}", "Atlassian: API tokens"),
    ApiKey("Linear key", r"lin_api_", r"[A-Za-z0-9]{40}", "Linear: API keys"),
    ApiKey("Notion token", r"ntn_|secret_", r"[A-Za-z0-9]{43,46}", "Notion: tokens", check=mixed),
    ApiKey(
        "Airtable token",
        r"pat",
        r"[A-Za-z0-9]{14}\.[a-f0-9]{64}",
        "Airtable: access tokens",
        anchor=r"(?-i:pat)[A-Za-z0-9]{14}\.[a-f0-9]{16}",
    ),
    ApiKey("Figma token", r"fig[dor]_", r"[A-Za-z0-9_-]{40}", "Figma: access tokens"),
    ApiKey("Typeform token", r"tfp_", r"[A-Za-z0-9_.=-]{59}", "Typeform: access tokens"),
    ApiKey("Contentful token", r"CFPAT-", r"[A-Za-z0-9_-]{43}", "Contentful: access tokens"),
    ApiKey(
        "Dropbox token",
        r"sl\.",
        r"(?:u\.)?[A-Za-z0-9_-]{130,1000}",
        "Dropbox: OAuth",
        anchor=r"\b(?-i:sl\.)[A-Za-z0-9_.-]{64}",
    ),
    ApiKey("Mapbox secret token", r"sk\.eyJ", r"[A-Za-z0-9_-]{50,120}\.[A-Za-z0-9_-]{22}", _HUB),
    ApiKey("Grafana token", r"glsa_", r"[A-Za-z0-9]{32}_[a-f0-9]{8}", "Grafana: service accounts"),
    ApiKey("Grafana Cloud token", r"glc_", r"[A-Za-z0-9+/=]{32,400}", "Grafana: access policies"),
    ApiKey("New Relic key", r"NRAK-", r"[A-Z0-9]{27}", "New Relic: API keys"),
    ApiKey("Sentry token", r"sntrys_eyJ", r"[A-Za-z0-9+/=_-]{80,500}", "Sentry: auth tokens"),
    ApiKey("Sentry user token", r"sntryu_", r"[a-f0-9]{64}", "Sentry: auth tokens"),
    ApiKey(
        "Dynatrace token",
        r"dt0[a-z][0-9]{2}\.",
        r"[A-Z0-9]{24}\.[A-Z0-9]{64}",
        "Dynatrace: token format",
    ),
)
