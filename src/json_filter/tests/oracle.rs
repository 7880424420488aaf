//! The slow, literal filter: parses the whole document and prints what stays.

use super::*;

/// A step of a path or of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Name(String),
    Pointer(String),
    Index(usize),
    Star,
    Map,
    List,
}

impl Step {
    fn selects(&self, step: &Step) -> bool {
        match (self, step) {
            (Step::Star, _) | (Step::Map, Step::Name(_)) | (Step::List, Step::Index(_)) => true,
            (Step::Name(a) | Step::Pointer(a), Step::Name(b)) => a == b,
            (Step::Pointer(a), Step::Index(b)) => *a == b.to_string(),
            _ => false,
        }
    }
}

pub(super) fn steps(place: &str) -> Vec<Step> {
    let step = |s: &str| {
        if s == "*" { Step::Star } else { Step::Name(s.into()) }
    };
    place.split('/').skip(1).map(step).collect()
}

pub(super) struct Oracle<'a> {
    pub(super) rules: &'a [Rule],
    pub(super) strip: Vec<Vec<Step>>,
    pub(super) errors: Vec<FilterError>,
    pub(super) counts: Vec<RuleCounts>,
    /// Trails of places, facts and properties, for the names they follow.
    followed: Vec<Vec<Step>>,
}

fn selects(place: &[Step], path: &[Step]) -> bool {
    place.len() == path.len() && leads_through(place, path)
}

fn leads_through(place: &[Step], path: &[Step]) -> bool {
    place.len() >= path.len() && place.iter().zip(path).all(|(a, b)| a.selects(b))
}

/// How many steps of a trail may be taken at the end of this path. An array is looked into element by element
/// where a trail of properties goes on by a name.
fn taken(trail: &[Step], path: &[Step]) -> Vec<usize> {
    let mut all = vec![0];
    for own in path {
        let mut next = Vec::new();
        for at in all {
            let Some(step) = trail.get(at) else { continue };
            if step.selects(own) {
                next.push(at + 1);
            } else if matches!((step, own), (Step::Name(_), Step::Index(_))) && trail[at..].iter().any(|step| matches!(step, Step::Map | Step::List)) {
                next.push(at);
            }
        }
        all = next;
    }
    all
}

/// The same place where digits are an index, too.
fn indexed(place: Vec<Step>) -> Vec<Step> {
    let is_index = |name: &str| name == "0" || (!name.is_empty() && !name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit()));
    let step = |step| match step {
        Step::Name(name) if is_index(&name) => Step::Pointer(name),
        step => step,
    };
    place.into_iter().map(step).collect()
}

struct Lenient;

impl Judge for Lenient {
    fn item(&mut self, _: usize, _: Option<&str>, _: &[Option<&[u8]>]) -> ItemVerdict {
        ItemVerdict::Keep
    }

    fn property(&mut self, _: usize, _: Property<'_>) -> bool {
        true
    }
}

impl<'a> Oracle<'a> {
    pub(super) fn new(rules: &'a [Rule], strip: &[String]) -> Self {
        let mut followed = Vec::new();
        for rule in rules {
            let place = steps(&rule.place.to_string());
            let mut inside = |to: &[Step]| {
                for (step, names) in [(Step::Map, vec!["effectiveFrom"]), (Step::List, vec!["key", "effectiveFrom"])] {
                    for name in names {
                        followed.push([to, &[step.clone(), Step::Name(name.into())]].concat());
                    }
                }
            };
            match &rule.kind {
                RuleKind::Pass => continue,
                RuleKind::Properties => inside(&place),
                RuleKind::Items { facts, properties } => {
                    for p in properties {
                        inside(&[place.clone(), indexed(steps(&p.to_string()))].concat());
                    }
                    for fact in facts {
                        let to = fact.to_string();
                        let to = to.split('/').skip(1).map(|s| Step::Pointer(s.into()));
                        followed.push(place.iter().cloned().chain(to).collect());
                    }
                }
            }
            followed.push(place);
        }
        let counts = vec![RuleCounts::default(); rules.len()];
        Self { rules, strip: strip.iter().map(|s| indexed(steps(s))).collect(), errors: Vec::new(), counts, followed }
    }

    pub(super) fn filter(&mut self, document: &Document<'_>, judge: &mut dyn Judge) -> String {
        let root = document.root();
        self.singles(root, judge);
        let mut out = String::new();
        // Once a single item is denied only the faults are looked for.
        let judge = if self.errors.is_empty() { judge } else { &mut Lenient };
        self.node(root, &mut Vec::new(), None, true, judge, &mut out);
        out
    }

    fn singles(&mut self, root: Node<'_>, judge: &mut dyn Judge) {
        for (number, rule) in self.rules.iter().enumerate().filter(|(_, r)| r.place.is_single()) {
            let RuleKind::Items { facts, .. } = &rule.kind else {
                continue;
            };
            let place = Pointer::parse(&rule.place.to_string()).unwrap();
            let node = walk(root, &place.to_string(), false);
            let Some(node) = node.filter(|node| !node.is_null()) else {
                continue;
            };
            let facts: Vec<_> = facts.iter().map(|f| walk(node, &f.to_string(), true).map(|n| n.raw())).collect();
            match judge.item(number, None, &facts) {
                ItemVerdict::Drop => self.errors.push(FilterError::Denied { rule: number }),
                _ => self.counts[number].items_kept += 1,
            }
        }
    }

    /// Whether the node stays; then it is printed.
    fn node(&mut self, node: Node<'_>, path: &mut Vec<Step>, container: Option<bool>, alive: bool, judge: &mut dyn Judge, out: &mut String) -> bool {
        self.duplicates(node, path);
        let mut stays = alive && !self.strip.iter().any(|place| selects(place, path));
        stays = stays && self.item(node, path, judge) && self.property(node, path, container, judge);
        self.demands(node, path, stays);
        let mut printed = String::new();
        self.print(node, path, stays, judge, &mut printed);
        out.push_str(&printed);
        stays
    }

    fn item(&mut self, node: Node<'_>, path: &[Step], judge: &mut dyn Judge) -> bool {
        for (number, rule) in self.rules.iter().enumerate() {
            let RuleKind::Items { facts, .. } = &rule.kind else {
                continue;
            };
            let place = steps(&rule.place.to_string());
            let starred = place.last() == Some(&Step::Star);
            if rule.place.is_single() || !selects(&place, path) || (!starred && node.is_null()) {
                continue;
            }
            let key = match path.last() {
                Some(Step::Name(name)) if starred => Some(name.as_str()),
                _ => None,
            };
            let facts: Vec<_> = facts.iter().map(|f| walk(node, &f.to_string(), true).map(|n| n.raw())).collect();
            if judge.item(number, key, &facts) == ItemVerdict::Drop {
                self.counts[number].items_removed += 1;
                return false;
            }
            self.counts[number].items_kept += 1;
        }
        true
    }

    fn property(&mut self, node: Node<'_>, path: &[Step], container: Option<bool>, judge: &mut dyn Judge) -> bool {
        let Some(last) = path.last() else {
            return true;
        };
        for (number, rule) in self.rules.iter().enumerate() {
            let place = steps(&rule.place.to_string());
            let places = match &rule.kind {
                RuleKind::Items { properties, .. } => properties.iter().map(|p| [place.clone(), indexed(steps(&p.to_string()))].concat()).collect(),
                RuleKind::Properties => vec![place],
                RuleKind::Pass => vec![],
            };
            let is_property = |place: &Vec<Step>| {
                [Step::Map, Step::List].into_iter().any(|last| {
                    let trail = [place.as_slice(), &[last]].concat();
                    taken(&trail, path).contains(&trail.len())
                })
            };
            if !places.iter().any(is_property) {
                continue;
            }
            let list = container == Some(true);
            let name = match last {
                Step::Name(name) if !list => Some(name.as_str()),
                _ => None,
            };
            let fact = |name| walk(node, name, false).map(|n| n.raw());
            let key = if list { fact("/key") } else { None };
            if !judge.property(number, Property { name, key, date: fact("/effectiveFrom") }) {
                self.counts[number].properties_removed += 1;
                return false;
            }
            self.counts[number].properties_kept += 1;
        }
        true
    }

    fn duplicates(&mut self, node: Node<'_>, path: &[Step]) {
        let names: Vec<_> = node.members().map(|(name, _)| name.into_owned()).collect();
        for trail in &self.followed {
            for at in taken(trail, path) {
                if let Some(Step::Name(name) | Step::Pointer(name)) = trail.get(at)
                    && names.iter().filter(|own| *own == name).count() > 1
                {
                    self.errors.push(FilterError::DuplicateName { name: name.clone() });
                }
            }
        }
    }

    /// A single item is looked for in what the upstream sent, the others in what stays.
    fn demands(&mut self, node: Node<'_>, path: &[Step], stays: bool) {
        for (rule, Rule { place, optional, kind }) in self.rules.iter().enumerate() {
            let single = place.is_single() && matches!(kind, RuleKind::Items { .. });
            if !stays && !single {
                continue;
            }
            let place = steps(&place.to_string());
            if *kind == RuleKind::Pass || place.len() <= path.len() || !leads_through(&place, path) {
                continue;
            }
            let fixed = !optional && !place[..=path.len()].contains(&Step::Star);
            let quiet = *kind == RuleKind::Properties;
            match &place[path.len()] {
                Step::Name(_) if node.is_array() => self.errors.push(FilterError::WrongShape { rule }),
                _ if quiet || node.is_array() => {}
                Step::Name(name) if node.is_object() => {
                    if fixed && !node.members().any(|(own, _)| own == name.as_str()) {
                        self.errors.push(FilterError::MissingPlace { rule });
                    }
                }
                _ if node.is_object() => {}
                Step::Name(_) if node.is_null() && fixed => self.errors.push(FilterError::MissingPlace { rule }),
                _ if node.is_null() => {}
                _ => self.errors.push(FilterError::WrongShape { rule }),
            }
        }
    }

    fn print(&mut self, node: Node<'_>, path: &mut Vec<Step>, alive: bool, judge: &mut dyn Judge, out: &mut String) {
        let text = std::str::from_utf8(node.raw()).unwrap();
        if !node.is_array() && !node.is_object() {
            return out.push_str(text);
        }
        let array = node.is_array();
        let children: Vec<(Step, Node<'_>)> = if array {
            node.elements().enumerate().map(|(n, child)| (Step::Index(n), child)).collect()
        } else {
            node.members().map(|(name, child)| (Step::Name(name.into_owned()), child)).collect()
        };
        let base = node.span().start;
        out.push_str(&text[..1]);
        let (mut end, mut kept_any, is_empty) = (1, false, children.is_empty());
        let mut first_blank = "";
        for (number, (step, child)) in children.into_iter().enumerate() {
            let value = child.span().start - base;
            let parting = text[end..value].find(|c: char| c != ',' && !c.is_ascii_whitespace());
            let begin = if array { value } else { end + parting.unwrap() };
            if number == 0 {
                first_blank = &text[end..begin];
            }
            path.push(step);
            let mut inside = String::new();
            let stays = self.node(child, path, Some(array), alive, judge, &mut inside);
            path.pop();
            if stays {
                out.push_str(if kept_any { &text[end..begin] } else { first_blank });
                out.push_str(&text[begin..value]);
                out.push_str(&inside);
            }
            kept_any |= stays;
            end = child.span().end - base;
        }
        out.push_str(if kept_any || is_empty { &text[end..] } else { &text[text.len() - 1..] });
    }
}

/// Follows a pointer, taking the first of duplicates.
fn walk<'a>(node: Node<'a>, to: &str, indexes: bool) -> Option<Node<'a>> {
    to.split('/').skip(1).try_fold(node, |node, name| {
        let element = || node.elements().enumerate().find(|(n, _)| indexes && n.to_string() == name);
        let member = node.members().find(|(own, _)| own == name).map(|(_, node)| node);
        member.or_else(|| element().map(|(_, node)| node))
    })
}
