"""UNTP Digital Conformity Credentials, version 0.6, as facts about certificates.

A credential map, which an officer writes once for each issuer, says what its credentials mean and
under which keys it is believed; nothing is guessed and nothing is fetched.

Source: UN Transparency Protocol, Digital Conformity Credential v0.6; W3C Verifiable Credentials
Data Model v2.0; docs/adr/0021-credentials-and-evidence.md.
"""

from carnet.facts.intake.untp.envelope import JWT_SUFFIX, Secured, Token, is_credential
from carnet.facts.intake.untp.mapping import CredentialMap, read_credential_map
from carnet.facts.intake.untp.reading import CredentialNote, Credentials, read_credential
from carnet.facts.intake.untp.verdict import CheckSignature, SignatureVerdict

__all__ = [
    "JWT_SUFFIX",
    "CheckSignature",
    "CredentialMap",
    "CredentialNote",
    "Credentials",
    "Secured",
    "SignatureVerdict",
    "Token",
    "is_credential",
    "read_credential",
    "read_credential_map",
]
