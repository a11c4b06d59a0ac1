//! A caller as a signed token: a JWT, HS256 and nothing else.

use std::{
    borrow::Cow,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use contract::order::CustomerId;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::ErrorKind,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Caller, Role, hs256, secret::Secret};

/// Who makes our tokens.
const ISSUER: &str = "mishap";
/// Whom they are for.
const AUDIENCE: &str = "shop";

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// To call.
    Access,
    /// To get a new access token, and nothing else.
    Refresh,
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was, until its time was over.
    #[error("the token has expired")]
    Expired,
    /// It is not one of ours, or not of this kind.
    #[error("the token is not valid here")]
    Invalid,
}

#[derive(Serialize, Deserialize)]
struct Claims<'a> {
    iss: Cow<'a, str>,
    aud: Cow<'a, str>,
    sub: Cow<'a, str>,
    role: Role,
    typ: Kind,
    iat: u64,
    exp: u64,
    jti: Uuid,
}

/// Signs tokens. Servers clone what they answer with for each request, so this is cheap to clone.
#[derive(Clone)]
pub struct Issuer(Arc<EncodingKey>);

/// Verifies tokens; cheap to clone, too.
#[derive(Clone)]
pub struct Verifier(Arc<Rules>);

/// What is verified, and with what.
#[derive(Clone)]
struct Rules {
    key: DecodingKey,
    validation: Validation,
}

impl Issuer {
    /// Signs with this secret.
    pub fn new(secret: &Secret) -> Self {
        hs256::install();
        Self(Arc::new(EncodingKey::from_secret(secret.expose().as_bytes())))
    }

    /// A token of `caller` that is good for so long from now on.
    pub fn mint(&self, caller: &Caller, kind: Kind, lifetime: Duration) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: caller.subject.as_str().into(),
            role: caller.role,
            typ: kind,
            iat: now.as_secs(),
            exp: (now + lifetime).as_secs(),
            jti: Uuid::now_v7(),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.0).expect("claims are plain JSON")
    }
}

impl Verifier {
    /// Verifies with this secret, and takes no token for a moment longer than it is good.
    pub fn new(secret: &Secret) -> Self {
        hs256::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = 0;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        let key = DecodingKey::from_secret(secret.expose().as_bytes());
        Self(Arc::new(Rules { key, validation }))
    }

    /// Takes tokens for so long after their end, rounded down to seconds: what was good when a
    /// request came in must still be good one hop later, by another clock.
    pub fn with_leeway(mut self, leeway: Duration) -> Self {
        Arc::make_mut(&mut self.0).validation.leeway = leeway.as_secs();
        self
    }

    /// Whose token it is.
    ///
    /// # Errors
    /// If it is not one of ours, not of this kind, or not good any more.
    pub fn verify(&self, token: &str, kind: Kind) -> Result<Caller, Refused> {
        let Rules { key, validation } = &*self.0;
        let verified = decode::<Claims<'static>>(token, key, validation);
        let claims = match verified {
            Ok(verified) => verified.claims,
            Err(error) if *error.kind() == ErrorKind::ExpiredSignature => {
                return Err(Refused::Expired);
            }
            Err(_) => return Err(Refused::Invalid),
        };
        let subject = CustomerId::parse("sub", claims.sub).map_err(|_| Refused::Invalid)?;
        match claims.typ == kind {
            true => Ok(Caller { subject, role: claims.role }),
            false => Err(Refused::Invalid),
        }
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issuer")
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use hmac::{Hmac, KeyInit as _, Mac as _};
    use serde_json::{Value, json};
    use sha2::{Sha384, Sha512};

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn secret() -> Secret {
        "a-secret-of-thirty-two-characters".parse().unwrap()
    }

    fn ada() -> Caller {
        Caller::customer(CustomerId::parse("name", "ada").unwrap())
    }

    fn now() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    /// Claims that are good.
    fn good() -> Value {
        json!({
            "iss": "mishap", "aud": "shop", "sub": "ada", "role": "customer", "typ": "access",
            "iat": now(), "exp": now() + 60, "jti": Uuid::nil(),
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut claims = good();
        claims[field] = value;
        claims
    }

    fn without(field: &str) -> Value {
        let mut claims = good();
        claims.as_object_mut().unwrap().remove(field);
        claims
    }

    fn signed(claims: &Value, secret: &Secret) -> String {
        let Issuer(key) = Issuer::new(secret);
        encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
    }

    fn part(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    fn verified(claims: &Value) -> Result<Caller, Refused> {
        let token = signed(claims, &secret());
        Verifier::new(&secret()).verify(&token, Kind::Access)
    }

    #[test]
    fn a_token_says_who_it_was_made_for() {
        let (issuer, verifier) = (Issuer::new(&secret()), Verifier::new(&secret()));
        for role in Role::ALL {
            let caller = Caller { role, ..ada() };
            let token = issuer.mint(&caller, Kind::Access, HOUR);
            assert_eq!(verifier.verify(&token, Kind::Access), Ok(caller));
        }
        assert_eq!(verified(&good()), Ok(ada()));
    }

    #[test]
    fn a_token_is_good_for_one_thing_only() {
        let (issuer, verifier) = (Issuer::new(&secret()), Verifier::new(&secret()));
        for (made, asked) in [(Kind::Access, Kind::Refresh), (Kind::Refresh, Kind::Access)] {
            let token = issuer.mint(&ada(), made, HOUR);
            assert_eq!(verifier.verify(&token, asked), Err(Refused::Invalid));
        }
    }

    #[test]
    fn a_token_ends() {
        let past = |seconds: u64| with("exp", json!(now() - seconds));
        assert_eq!(verified(&past(1)), Err(Refused::Expired));
        let token = signed(&past(3), &secret());
        let lenient = Verifier::new(&secret()).with_leeway(Duration::from_secs(60));
        assert_eq!(lenient.verify(&token, Kind::Access), Ok(ada()));
        let token = signed(&past(70), &secret());
        assert_eq!(lenient.verify(&token, Kind::Access), Err(Refused::Expired));
    }

    #[test]
    fn no_other_algorithm_is_taken_even_with_the_right_key() {
        let verifier = Verifier::new(&secret());
        for algorithm in ["HS384", "HS512"] {
            let head = part(&json!({"typ": "JWT", "alg": algorithm}));
            let message = format!("{head}.{}", part(&good()));
            let (key, bytes) = (secret(), message.as_bytes());
            let key = key.expose().as_bytes();
            let signature = match algorithm {
                "HS384" => {
                    let mac = Hmac::<Sha384>::new_from_slice(key).unwrap().chain_update(bytes);
                    mac.finalize().into_bytes().to_vec()
                }
                _ => {
                    let mac = Hmac::<Sha512>::new_from_slice(key).unwrap().chain_update(bytes);
                    mac.finalize().into_bytes().to_vec()
                }
            };
            let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
            assert_eq!(verifier.verify(&token, Kind::Access), Err(Refused::Invalid), "{algorithm}");
        }
    }

    /// What is signed by nobody, and what says that the signature is of another kind than it is.
    #[test]
    fn no_token_says_itself_how_it_is_verified() {
        let verifier = Verifier::new(&secret());
        let token = signed(&good(), &secret());
        let signature = token.rsplit_once('.').unwrap().1;
        for algorithm in ["none", "None", "NONE", "", "RS256", "ES256", "EdDSA", "hs256"] {
            let head = part(&json!({"typ": "JWT", "alg": algorithm}));
            for signature in ["", signature] {
                let forged = format!("{head}.{}.{signature}", part(&good()));
                let verdict = verifier.verify(&forged, Kind::Access);
                assert_eq!(verdict, Err(Refused::Invalid), "{algorithm}: {forged}");
            }
        }
    }

    /// The example of RFC 7515, A.1: HMAC-SHA256 as others compute it.
    #[test]
    fn a_signature_is_the_one_that_the_standard_has() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let key = EncodingKey::from_secret(&URL_SAFE_NO_PAD.decode(key).unwrap());
        let message = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                       eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                       cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        hs256::install();
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256);
        assert_eq!(signature.unwrap(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[test]
    fn a_token_of_another_key_or_with_other_claims_is_refused() {
        let token = signed(&good(), &Secret::random());
        let verifier = Verifier::new(&secret());
        assert_eq!(verifier.verify(&token, Kind::Access), Err(Refused::Invalid));

        let token = signed(&good(), &secret());
        let [head, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
        let admin = part(&with("role", json!("admin")));
        let forged = format!("{head}.{admin}.{signature}");
        assert_eq!(verifier.verify(&forged, Kind::Access), Err(Refused::Invalid));
    }

    #[test]
    fn a_token_that_was_not_made_for_the_shop_is_refused() {
        for claims in [
            with("iss", json!("somebody")),
            with("aud", json!("bank")),
            with("sub", json!("two words")),
            with("sub", json!("")),
            with("role", json!("root")),
            with("typ", json!("id")),
            with("exp", json!("tomorrow")),
            without("iss"),
            without("aud"),
            without("sub"),
            without("role"),
            without("typ"),
            without("exp"),
        ] {
            assert_eq!(verified(&claims), Err(Refused::Invalid), "{claims}");
        }
        for garbage in ["", ".", "..", "a.b.c", "a.b", "a.b.c.d", "\u{e4}.b.c"] {
            let verdict = Verifier::new(&secret()).verify(garbage, Kind::Access);
            assert_eq!(verdict, Err(Refused::Invalid), "{garbage:?}");
        }
    }

    #[test]
    fn keys_do_not_show_themselves() {
        let shown = format!("{:?} {:?}", Issuer::new(&secret()), Verifier::new(&secret()));
        assert_eq!(shown, "Issuer Verifier");
    }
}
