//! Think times in JSON: one duration, or a range.

use std::{fmt, time::Duration};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{ThinkTime, span};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Range {
    #[serde(deserialize_with = "span::deserialize")]
    min: Duration,
    #[serde(deserialize_with = "span::deserialize")]
    max: Duration,
}

struct ThinkTimeVisitor;

impl<'de> Visitor<'de> for ThinkTimeVisitor {
    type Value = ThinkTime;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a duration such as "1s", or {"min": "1s", "max": "5s"}"#)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ThinkTime, E> {
        span::parse_duration(text).map(ThinkTime::constant).map_err(E::custom)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<ThinkTime, E> {
        Err(E::custom(span::without_unit(number)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<ThinkTime, E> {
        Err(E::custom(span::without_unit(number)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ThinkTime, A::Error> {
        let Range { min, max } = Range::deserialize(MapAccessDeserializer::new(map))?;
        if min > max {
            Err(A::Error::custom("min is longer than max: swap them"))
        } else {
            Ok(ThinkTime { min, max })
        }
    }
}

impl<'de> Deserialize<'de> for ThinkTime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ThinkTimeVisitor)
    }
}
