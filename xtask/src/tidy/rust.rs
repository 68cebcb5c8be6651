//! Facts about a Rust source for the rules: paths, functions, literals, unsafe code, identifiers.

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Block, Expr, ExprUnsafe, ImplItem, ImplItemFn, Item, ItemFn, ItemMacro, ItemMod, Lit, Macro, Meta, Path,
    Signature, TraitItemFn, UseTree, VisRestricted, Visibility,
    spanned::Spanned,
    visit::{self, Visit},
};

/// A path such as `crate::store::Store` in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The words of the path.
    pub(super) words: Vec<String>,
    /// Counted from one.
    pub(super) line: usize,
    /// Names of the inline modules around it.
    pub(super) inside: Vec<String>,
    /// Whether only tests compile it.
    pub(super) in_test: bool,
}

/// A function with its body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    /// Its name.
    pub(super) name: String,
    /// Where it begins, without attributes and documentation.
    pub(super) line: usize,
    /// Lines from there to the end of the body.
    pub(super) lines: usize,
}

/// A string or a byte string.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// Its value, escapes resolved.
    pub(super) text: String,
    /// Counted from one.
    pub(super) line: usize,
    /// Whether only tests compile it.
    pub(super) in_test: bool,
}

/// `mod name;`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Declared {
    /// The module.
    pub(super) name: String,
    /// Whether only tests compile it.
    pub(super) in_test: bool,
}

/// A type that other files can name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Type {
    /// Its name.
    pub(super) name: String,
    /// Counted from one.
    pub(super) line: usize,
    /// Whether only tests compile it.
    pub(super) in_test: bool,
}

/// A parsed source.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Every path of a `use`, and every other path of at least two words.
    pub(super) named: Vec<Named>,
    /// Names that a `use` brings into the file, each with its path.
    pub(super) aliases: Vec<(String, Vec<String>)>,
    /// Functions with bodies.
    pub(super) functions: Vec<Function>,
    /// Structs, enums, traits and aliases that are not private.
    pub(super) types: Vec<Type>,
    /// String literals, those of macros as well; not those of attributes.
    pub(super) literals: Vec<Literal>,
    /// Lines with unsafe code, or with leave for it.
    pub(super) unsafe_lines: Vec<usize>,
    /// Modules in files of their own.
    pub(super) modules: Vec<Declared>,
    /// Words of the attributes of the whole file, such as `forbid(unsafe_code)`.
    pub(super) attributes: Vec<String>,
    /// Every identifier, with its line.
    pub(super) identifiers: Vec<(String, usize)>,
}

impl Source {
    /// Parses a file.
    ///
    /// # Errors
    /// The line and the parser's message.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let file = syn::parse_file(text).map_err(|error| (error.span().start().line.max(1), error.to_string()))?;
        let mut reader = Reader::default();
        for attribute in &file.attrs {
            if let Meta::List(list) = &attribute.meta {
                let name = list.path.get_ident().map(ToString::to_string).unwrap_or_default();
                reader.source.attributes.push(format!("{name}({})", list.tokens));
            }
        }
        reader.visit_file(&file);
        if let Ok(tokens) = text.parse::<TokenStream>() {
            identifiers(tokens, &mut reader.source.identifiers);
        }
        Ok(reader.source)
    }
}

fn identifiers(tokens: TokenStream, found: &mut Vec<(String, usize)>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => identifiers(group.stream(), found),
            TokenTree::Ident(ident) => found.push((ident.to_string(), ident.span().start().line)),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

#[derive(Default)]
struct Reader {
    source: Source,
    inside: Vec<String>,
    /// Number of enclosing items that are for tests.
    tests: usize,
}

impl Reader {
    fn name(&mut self, words: Vec<String>, line: usize) {
        if words.len() > 1 {
            let (inside, in_test) = (self.inside.clone(), self.tests > 0);
            self.source.named.push(Named { words, line, inside, in_test });
        }
    }

    fn literal(&mut self, text: String, line: usize) {
        self.source.literals.push(Literal { text, line, in_test: self.tests > 0 });
    }

    fn function(&mut self, signature: &Signature, block: &Block) {
        let line = signature.span().start().line;
        let lines = block.span().end().line + 1 - line;
        self.source.functions.push(Function { name: signature.ident.to_string(), line, lines });
        if let Some(token) = signature.unsafety {
            self.source.unsafe_lines.push(token.span().start().line);
        }
    }

    fn use_tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |word: String| [before, &[word]].concat();
        match tree {
            UseTree::Path(path) => self.use_tree(&path.tree, &with(path.ident.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.use_tree(tree, before)),
            UseTree::Glob(glob) => self.name(with("*".to_owned()), glob.span().start().line),
            UseTree::Name(name) if name.ident == "self" => {
                self.alias(before.last().cloned().unwrap_or_default(), before.to_vec());
                self.name(with("self".to_owned()), name.span().start().line);
            }
            UseTree::Name(name) => {
                let words = with(name.ident.to_string());
                self.alias(name.ident.to_string(), words.clone());
                self.name(words, name.span().start().line);
            }
            UseTree::Rename(rename) => {
                let words = with(rename.ident.to_string());
                self.alias(rename.rename.to_string(), words.clone());
                self.name(words, rename.span().start().line);
            }
        }
    }

    fn alias(&mut self, name: String, words: Vec<String>) {
        if self.inside.is_empty() {
            self.source.aliases.push((name, words));
        }
    }

    /// A macro's tokens: paths, literals and unsafe code as far as tokens show them.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut words: Vec<String> = Vec::new();
        let (mut line, mut colons) = (0, 0);
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) if colons == 2 && !words.is_empty() => words.push(ident.to_string()),
                TokenTree::Ident(ident) => {
                    self.name(std::mem::take(&mut words), line);
                    (words, line) = (vec![ident.to_string()], ident.span().start().line);
                    if ident == "unsafe" {
                        self.source.unsafe_lines.push(line);
                    }
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Punct(_) => self.name(std::mem::take(&mut words), line),
                TokenTree::Group(group) => {
                    self.name(std::mem::take(&mut words), line);
                    self.tokens(group.stream());
                }
                TokenTree::Literal(literal) => {
                    self.name(std::mem::take(&mut words), line);
                    self.lit(&Lit::new(literal.clone()));
                }
            }
            colons = 0;
        }
        self.name(words, line);
    }

    fn lit(&mut self, literal: &Lit) {
        let line = literal.span().start().line;
        match literal {
            Lit::Str(text) => self.literal(text.value(), line),
            Lit::ByteStr(bytes) => self.literal(String::from_utf8_lossy(&bytes.value()).into_owned(), line),
            _ => {}
        }
    }

    fn type_of(&mut self, item: &Item) {
        let (visibility, name) = match item {
            Item::Enum(item) => (&item.vis, &item.ident),
            Item::Struct(item) => (&item.vis, &item.ident),
            Item::Trait(item) => (&item.vis, &item.ident),
            Item::Type(item) => (&item.vis, &item.ident),
            _ => return,
        };
        if !matches!(visibility, Visibility::Inherited) {
            let line = name.span().start().line;
            self.source.types.push(Type { name: name.to_string(), line, in_test: self.tests > 0 });
        }
    }

    fn within_test(&mut self, attributes: &[Attribute], visit: impl FnOnce(&mut Self)) {
        let is_test = attributes.iter().any(is_for_tests);
        self.tests += usize::from(is_test);
        visit(self);
        self.tests -= usize::from(is_test);
    }
}

/// `#[test]`, or a `cfg` that asks for tests.
fn is_for_tests(attribute: &Attribute) -> bool {
    let words = match &attribute.meta {
        Meta::Path(path) => return path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => list.tokens.to_string(),
        Meta::List(_) | Meta::NameValue(_) => return false,
    };
    let mut words = words.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.clone().any(|word| word == "test") && words.all(|word| word != "not")
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        self.within_test(attributes(item), |reader| {
            reader.type_of(item);
            match item {
                Item::Use(item) => reader.use_tree(&item.tree, &[]),
                Item::Impl(item) if item.unsafety.is_some() => {
                    reader.source.unsafe_lines.push(item.span().start().line);
                }
                Item::Trait(item) if item.unsafety.is_some() => {
                    reader.source.unsafe_lines.push(item.span().start().line);
                }
                Item::ForeignMod(item) => reader.source.unsafe_lines.push(item.span().start().line),
                _ => {}
            }
            visit::visit_item(reader, item);
        });
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        let name = item.ident.to_string();
        if item.content.is_none() {
            self.source.modules.push(Declared { name, in_test: self.tests > 0 });
            return visit::visit_item_mod(self, item);
        }
        self.inside.push(name);
        visit::visit_item_mod(self, item);
        self.inside.pop();
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes: &[Attribute] = if let ImplItem::Fn(item) = item { &item.attrs } else { &[] };
        self.within_test(attributes, |reader| visit::visit_impl_item(reader, item));
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        visit::visit_item_macro(self, item);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.visit_path(&item.path);
        self.tokens(item.tokens.clone());
    }

    fn visit_path(&mut self, path: &'ast Path) {
        let words = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.name(words, path.span().start().line);
        visit::visit_path(self, path);
    }

    fn visit_expr(&mut self, expression: &'ast Expr) {
        if let Expr::Lit(literal) = expression {
            self.lit(&literal.lit);
        }
        visit::visit_expr(self, expression);
    }

    fn visit_expr_unsafe(&mut self, block: &'ast ExprUnsafe) {
        self.source.unsafe_lines.push(block.span().start().line);
        visit::visit_expr_unsafe(self, block);
    }

    /// Attributes hold documentation and names of lints; only leave for unsafe code is of interest.
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            let is_leave = ["allow", "expect"].iter().any(|name| list.path.is_ident(name));
            if list.path.is_ident("unsafe") || is_leave && list.tokens.to_string().contains("unsafe_code") {
                self.source.unsafe_lines.push(attribute.span().start().line);
            }
        }
    }

    /// `pub(super)` imports nothing.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}
}

#[cfg(test)]
mod tests {
    use super::{Function, Source};

    fn parse(text: &str) -> Source {
        Source::parse(text).expect("valid Rust")
    }

    fn paths(source: &Source) -> Vec<String> {
        source.named.iter().map(|named| named.words.join("::")).collect()
    }

    #[test]
    fn paths_of_imports_bodies_types_and_macros_are_found() {
        let source = parse(
            "use crate::{a::{self, B}, c as d};\npub(super) fn f(x: &crate::t::T) { crate::e::g(); m!(x, crate::h::I, 1); }",
        );
        let expected = ["crate::a::self", "crate::a::B", "crate::c", "crate::t::T", "crate::e::g", "crate::h::I"];
        assert_eq!(paths(&source), expected);
        assert_eq!(
            source.aliases.last().map(|(name, words)| (name.as_str(), words.join("::"))),
            Some(("d", "crate::c".into()))
        );
    }

    #[test]
    fn tests_are_told_from_the_product() {
        let source = parse("use a::b; #[cfg(test)] mod tests { use super::c; } #[cfg(not(test))] use d::e;");
        let flags: Vec<(bool, usize)> = source.named.iter().map(|named| (named.in_test, named.inside.len())).collect();
        assert_eq!(flags, [(false, 0), (true, 1), (false, 0)]);
    }

    #[test]
    fn a_function_is_measured_without_its_documentation() {
        let source = parse("/// Says\n/// much.\n#[inline]\nfn f() {\n    g();\n}\n");
        assert_eq!(source.functions, [Function { name: "f".to_owned(), line: 4, lines: 3 }]);
    }

    #[test]
    fn literals_are_read_but_for_documentation() {
        let source = parse("/// VALUE\nfn f() { let _ = (\"a\\r\\n\", b\"b\"); write!(o, \"c {}\", 1); }");
        let texts: Vec<&str> = source.literals.iter().map(|literal| literal.text.as_str()).collect();
        assert_eq!(texts, ["a\r\n", "b", "c {}"]);
    }

    #[test]
    fn every_kind_of_unsafe_code_is_seen() {
        for text in [
            "unsafe fn f() {}",
            "fn f() { unsafe { g() } }",
            "fn f() { m!(unsafe { g() }) }",
            "unsafe impl T for S {}",
            "unsafe trait T {}",
            "unsafe extern \"C\" { fn f(); }",
            "#[unsafe(no_mangle)] fn f() {}",
            "#[allow(unsafe_code)] mod a {}",
            "impl S { unsafe fn f() {} }",
        ] {
            assert!(!parse(text).unsafe_lines.is_empty(), "{text}");
        }
        let source = parse("#![forbid(unsafe_code)]\nfn f() { let s = \"unsafe\"; } // unsafe\n");
        assert_eq!((source.unsafe_lines.len(), source.attributes), (0, vec!["forbid(unsafe_code)".to_owned()]));
    }
}
