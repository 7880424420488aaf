//! Entities: what the items of an answer or a body are, in the words of the policies.

use super::binding::Binding;
use crate::json_filter::{Pattern, Pointer};

/// An entity of the API map.
#[derive(Clone, Debug)]
pub struct Entity {
    /// Its name in the map.
    pub name: Box<str>,
    /// The name that policies are asked with: its own, or that of the entity that determines it.
    pub asked_as: Box<str>,
    /// Whether another entity determines it (semantics §9).
    pub is_determined: bool,
    /// Its id parts as bound by the entity itself; sources are pointers, path, query, header, literals.
    pub id: Vec<Binding>,
    /// The texts of `id`, for reading them again with the path of each operation at hand.
    pub(super) id_texts: Vec<(Box<str>, Box<str>)>,
    /// The names of the parts of a whole id of what it is asked as.
    pub parts: Vec<Box<str>>,
    /// Where its access metadata comes from.
    pub metadata: MetadataSource,
    /// Where its properties are, relative to the item.
    pub properties: Vec<Pattern>,
    /// Where its own dates are, relative to the item.
    pub dates: DatePointers,
}

/// The source of an entity's access metadata (semantics §9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetadataSource {
    /// There is none: always unknown.
    None,
    /// The snapshot's `accessMetadata`.
    Snapshot,
    /// The item's own body.
    Body(Pointer),
    /// The upstream's metadata route.
    Upstream(Vec<RoutePart>),
}

/// A piece of a metadata route: text, or an id part to be percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoutePart {
    /// Text as it is.
    Text(Box<str>),
    /// The value of an id part.
    IdPart(Box<str>),
}

/// Pointers to an item's own dates.
#[derive(Clone, Debug, Default)]
pub struct DatePointers {
    /// The effective date.
    pub effective: Option<Pointer>,
    /// The asAt date.
    pub as_at: Option<Pointer>,
}

impl MetadataSource {
    /// Reads `snapshot | body:/pointer | upstream:/route/{part} | none`.
    ///
    /// # Errors
    /// A sentence that says what would be right.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Some(pointer) = text.strip_prefix("body:") {
            return Pointer::parse(pointer).map(Self::Body).map_err(|error| error.to_string());
        }
        if let Some(route) = text.strip_prefix("upstream:") {
            return parse_route(route).map(Self::Upstream);
        }
        match text {
            "none" => Ok(Self::None),
            "snapshot" => Ok(Self::Snapshot),
            _ => Err(format!("`{text}` is no source of metadata; write `snapshot`, `body:/pointer`, `upstream:/route/{{part}}` or `none`")),
        }
    }
}

fn parse_route(route: &str) -> Result<Vec<RoutePart>, String> {
    if !route.starts_with('/') {
        return Err(format!("the metadata route `{route}` must begin with `/`"));
    }
    let mut parts = Vec::new();
    let mut rest = route;
    while let Some((text, behind)) = rest.split_once('{') {
        let (name, after) = behind.split_once('}').ok_or_else(|| format!("the metadata route `{route}` has a `{{` without its `}}`"))?;
        parts.push(RoutePart::Text(text.into()));
        parts.push(RoutePart::IdPart(name.into()));
        rest = after;
    }
    parts.push(RoutePart::Text(rest.into()));
    Ok(parts)
}
