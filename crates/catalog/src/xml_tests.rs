use super::*;

fn reason(source: &str) -> Reason {
    Tree::document(source, &Limits::default()).err().map(|error| error.reason).unwrap()
}

#[test]
fn elements_attributes_and_text_are_found() {
    let source = "<?xml version=\"1.0\"?>\n<a:r xmlns:a=\"u\" x=\"1 &amp; 2\"><!-- c --><k>t&#x41;<![CDATA[<&]]></k>\n<k a:y='2'/></a:r>\n";
    let tree = Tree::document(source, &Limits::default()).unwrap();
    let root = tree.roots().next().unwrap();
    assert_eq!((root.local(), root.namespace(), root.attribute("x")), ("r", "u", Some("1 & 2")));
    assert_eq!(root.offset(), 22);
    let children: Vec<_> = root.children().collect();
    assert_eq!(children.len(), 2);
    assert_eq!(children[0].text(), "tA<&");
    assert_eq!(children[1].attribute("y"), None, "the prefixed attribute is another one");
    assert_eq!(children[1].attributes().next().unwrap().namespace, "u");
    assert_eq!(root.text(), "", "white space between elements is not content");
}

#[test]
fn walking_balances() {
    let tree = Tree::fragment("<a><b/><c>x</c></a><d/>", &Limits::default()).unwrap();
    let mut seen = String::new();
    for root in tree.roots() {
        root.walk(|step| match step {
            Step::Open { element, empty } => {
                seen += &format!("{}{}", element.local(), if empty { "." } else { "(" })
            }
            Step::Text(text) => seen += text,
            Step::Close(_) => seen += ")",
        });
    }
    assert_eq!(seen, "a(b.c(x))d.");
}

#[test]
fn doctypes_and_entities_are_refused() {
    assert_eq!(reason("<!DOCTYPE a [<!ENTITY e \"x\">]><a>&e;</a>"), Reason::Doctype);
    assert!(matches!(reason("<a>&e;</a>"), Reason::Syntax(_)));
    assert!(matches!(reason("<a b=\"&e;\"/>"), Reason::Syntax(_)));
    assert!(matches!(reason("<a>&#0;</a>"), Reason::Syntax(_)));
}

#[test]
fn malformed_xml_is_refused() {
    for bad in [
        "",
        "x",
        "<a>",
        "<a></b>",
        "<a/><a/>",
        "<a b='1' b='2'/>",
        "<p:a/>",
        "<a>\u{1}</a>",
        "<a b=\"\u{1}\"/>",
        "<a/>x",
        "<a",
    ] {
        assert!(Tree::document(bad, &Limits::default()).is_err(), "{bad}");
    }
}

#[test]
fn bounds_hold() {
    let deep = "<a>".repeat(300) + &"</a>".repeat(300);
    assert_eq!(reason(&deep), Reason::TooDeep(256));
    let limits = Limits { max_nodes: 3, max_attributes: 2, ..Limits::default() };
    let limited = |source: &str| Tree::document(source, &limits).err().map(|error| error.reason);
    assert_eq!(limited("<a><b/><c/><d/></a>"), Some(Reason::TooManyNodes(3)));
    assert_eq!(limited("<a b='' c='' d=''/>"), Some(Reason::TooManyAttributes(2)));
    assert_eq!(limited("<a><b/><c/></a>"), None);
    let many: String = (0..300).map(|n| format!("<a xmlns='u:{n}'/>")).collect();
    assert!(matches!(reason(&format!("<r>{many}</r>")), Reason::TooMany { what: "namespaces", .. }));
}

#[test]
fn characters_xml_forbids_are_refused_wherever_they_stand() {
    for source in [
        "<a\u{1}b/>",
        "<a x\u{2}='1'/>",
        "<a x='\u{3}'/>",
        "<a>\u{0}</a>",
        "<a><!-- \u{b} --></a>",
        "<a>\u{ffff}</a>",
    ] {
        assert!(matches!(reason(source), Reason::Syntax(_)), "{source:?}");
    }
    assert!(Tree::document("<a>\t\r\n\u{feff}\u{fffd}\u{f900}</a>", &Limits::default()).is_ok());
}
