//! SOAP: the fast path for SyncUpdates as agents write it: same prefix, same order, no space between
//! elements (observed-behaviour 3.1). It reads a message in one pass; at the first byte it does not
//! expect it gives up, and the general reader reads the message from the start and judges it.

use super::request::{CategoryIdentifier, ProductsParameters, SyncUpdateParameters, SyncUpdatesRequest};
use super::{ComputerHardwareSpecification, SYNC_UPDATES};
use crate::client::{Base64, Cookie, Request};
use crate::envelope::{Limits, SoapVersion};
use crate::text::Text;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;
use std::borrow::Cow;

const HEAD: &[u8] = b"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>\
    <SyncUpdates xmlns=\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService\">\
    <cookie><Expiration>";
const TAIL: &[u8] = b"</SyncUpdates></s:Body></s:Envelope>";

/// The elements of a message without arrays are fewer than this, and not nested deeper than that.
const FIXED_ELEMENTS: usize = 32;
const DEPTH: usize = 8;

/// Reads a software pass in the spelling of agents. `None` says nothing about the message: the general
/// reader has to look at it. What it answers, the general reader would answer too.
pub(in crate::client) fn read<'a>(
    body: &'a [u8],
    action: Option<&str>,
    limits: &Limits,
) -> Option<(SoapVersion, Request<'a>)> {
    if body.len() > limits.bytes || limits.depth < DEPTH {
        return None;
    }
    let mut message = Message { rest: body, left: limits.elements.checked_sub(FIXED_ELEMENTS)?, limits };
    message.take(HEAD)?;
    crate::service::check_action(action, &SYNC_UPDATES).ok()?;
    let expiration = message.text(b"</Expiration>")?.parse().ok()?;
    message.take(b"<EncryptedData>")?;
    let sealed = STANDARD.decode(message.text(b"</EncryptedData>")?).ok()?;
    message.take(b"</cookie>")?;
    let parameters = message.parameters()?;
    message.take(TAIL)?;
    let cookie = Some(Cookie { expiration, encrypted_data: Some(Base64(sealed)) });
    let request = SyncUpdatesRequest { cookie, parameters: Some(parameters) };
    message.rest.is_empty().then_some((SoapVersion::V11, Request::SyncUpdates(request)))
}

/// What is left of a message.
struct Message<'a, 'l> {
    rest: &'a [u8],
    /// Elements that may still come in arrays.
    left: usize,
    limits: &'l Limits,
}

impl<'a> Message<'a, '_> {
    /// Passes over exactly these bytes.
    fn take(&mut self, literal: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(literal)?;
        Some(())
    }

    /// Passes over these bytes if they come next.
    fn skip(&mut self, literal: &[u8]) -> bool {
        self.take(literal).is_some()
    }

    /// Text of printable ASCII without references, through its end tag.
    fn text(&mut self, close: &[u8]) -> Option<&'a str> {
        let (text, markup) = self.rest.split_at_checked(memchr(b'<', self.rest)?)?;
        self.rest = markup.strip_prefix(close)?;
        let plain = |byte: u8| (b' '..=b'~').contains(&byte) & (byte != b'&');
        let all_plain = text.iter().fold(true, |all, byte| all & plain(*byte));
        (all_plain && text.len() <= self.limits.text).then(|| str::from_utf8(text).ok())?
    }

    /// An optional true or false.
    fn flag(&mut self, open: &[u8], close: &[u8]) -> Option<Option<bool>> {
        if !self.skip(open) {
            return Some(None);
        }
        let value = if self.skip(b"true") {
            true
        } else {
            self.take(b"false")?;
            false
        };
        self.take(close)?;
        Some(Some(value))
    }

    /// An optional text.
    fn optional(&mut self, open: &[u8], close: &[u8], empty: &[u8]) -> Option<Option<Text<'a>>> {
        if self.skip(empty) {
            return Some(Some(Text::default()));
        }
        if !self.skip(open) {
            return Some(None);
        }
        let text = self.text(close)?;
        Some(Some(Text::from_checked(Cow::Borrowed(text))))
    }

    /// An optional array of `<int>`.
    fn ids(&mut self, open: &[u8], close: &[u8]) -> Option<Vec<i32>> {
        let mut ids = Vec::new();
        if self.skip(open) {
            let most = self.limits.array.min(self.left);
            // No entry is shorter than twelve bytes, so this is room for all there can be.
            ids.reserve_exact((self.rest.len() / 12 + 1).min(most));
            let read = crate::ints::read_run(self.rest, most, &mut ids);
            self.rest = self.rest.get(read..)?;
            self.take(close)?;
            self.left = self.left.checked_sub(ids.len())?;
        }
        Some(ids)
    }

    /// An optional array of categories.
    fn categories(&mut self) -> Option<Vec<CategoryIdentifier>> {
        let mut categories = Vec::new();
        if self.skip(b"<FilterCategoryIds>") {
            while self.skip(b"<CategoryIdentifier><Id>") {
                self.left = self.left.checked_sub(2)?;
                let id = self.text(b"</Id></CategoryIdentifier>")?.parse().ok()?;
                if categories.len() >= self.limits.records {
                    return None;
                }
                categories.push(CategoryIdentifier { id });
            }
            self.take(b"</FilterCategoryIds>")?;
        }
        Some(categories)
    }

    /// `parameters` of a software pass.
    fn parameters(&mut self) -> Option<SyncUpdateParameters<'a>> {
        self.take(b"<parameters>")?;
        let parameters = SyncUpdateParameters {
            express_query: self.flag(b"<ExpressQuery>", b"</ExpressQuery>")?,
            installed_non_leaf: self.ids(b"<InstalledNonLeafUpdateIDs>", b"</InstalledNonLeafUpdateIDs>")?,
            other_cached: self.ids(b"<OtherCachedUpdateIDs>", b"</OtherCachedUpdateIDs>")?,
            system_spec: Vec::new(),
            cached_drivers: self.ids(b"<CachedDriverIDs>", b"</CachedDriverIDs>")?,
            skip_software_sync: self.flag(b"<SkipSoftwareSync>", b"</SkipSoftwareSync>")??,
            filter_categories: self.categories()?,
            need_two_group_out_of_scope: self
                .flag(b"<NeedTwoGroupOutOfScopeUpdates>", b"</NeedTwoGroupOutOfScopeUpdates>")?,
            also_perform_regular_sync: self
                .flag(b"<AlsoPerformRegularSync>", b"</AlsoPerformRegularSync>")?,
            computer_spec: self.skip(b"<ComputerSpec/>").then(ComputerHardwareSpecification::default),
            feature_score_matching_key: None,
            products_parameters: self.products()?,
        };
        self.take(b"</parameters>")?;
        Some(parameters)
    }

    fn products(&mut self) -> Option<Option<ProductsParameters<'a>>> {
        if !self.skip(b"<ProductsParameters>") {
            return Some(None);
        }
        let products = ProductsParameters {
            sync_current_version_only: self
                .flag(b"<SyncCurrentVersionOnly>", b"</SyncCurrentVersionOnly>")?,
            device_attributes: self.optional(
                b"<DeviceAttributes>",
                b"</DeviceAttributes>",
                b"<DeviceAttributes/>",
            )?,
            caller_attributes: self.optional(
                b"<CallerAttributes>",
                b"</CallerAttributes>",
                b"<CallerAttributes/>",
            )?,
            products: self.optional(b"<Products>", b"</Products>", b"<Products/>")?,
        };
        self.take(b"</ProductsParameters>")?;
        Some(Some(products))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::RequestMessage as _;
    use proptest::prelude::*;
    use sluicegate_terms::Guid;

    const LIMITS: Limits = Limits { bytes: 20_000, array: 40, records: 3, text: 300, ..Limits::REQUEST };

    fn ids() -> impl Strategy<Value = Vec<i32>> {
        proptest::collection::vec(prop_oneof![any::<i32>(), 1..200_000_i32], 0..44)
    }

    fn text() -> impl Strategy<Value = Option<Text<'static>>> {
        let piece = prop_oneof![4 => "[ -~]{0,90}", 1 => "[a-zü&<>\t]{0,9}", 1 => Just("x".repeat(301))];
        proptest::option::of(piece).prop_map(|text| text.map(|text| Text::new(&text).into_owned()))
    }

    prop_compose! {
        fn parameters()(
            express_query in any::<Option<bool>>(),
            (installed_non_leaf, other_cached, cached_drivers) in (ids(), ids(), ids()),
            skip_software_sync in any::<bool>(),
            categories in proptest::collection::vec(any::<u128>(), 0..5),
            (two, regular) in any::<(Option<bool>, Option<bool>)>(),
            computer in any::<bool>(),
            key in proptest::option::weighted(0.05, "[A-Z0-9.]{0,9}"),
            products in proptest::option::of((any::<Option<bool>>(), text(), text(), text())),
        ) -> SyncUpdateParameters<'static> {
            SyncUpdateParameters {
                express_query, installed_non_leaf, other_cached, cached_drivers, skip_software_sync,
                system_spec: Vec::new(),
                filter_categories: categories
                    .into_iter()
                    .map(|id| CategoryIdentifier { id: sluicegate_terms::UpdateId(Guid::from_u128(id)) })
                    .collect(),
                need_two_group_out_of_scope: two,
                also_perform_regular_sync: regular,
                computer_spec: computer.then(ComputerHardwareSpecification::default),
                feature_score_matching_key: key,
                products_parameters: products.map(|(sync_current_version_only, a, b, c)| {
                    ProductsParameters {
                        sync_current_version_only, device_attributes: a, caller_attributes: b, products: c,
                    }
                }),
            }
        }
    }

    fn encoded(parameters: SyncUpdateParameters<'_>) -> Vec<u8> {
        let expiration = "2026-10-04T16:03:35.9967236Z".parse().unwrap();
        let cookie = Some(Cookie { expiration, encrypted_data: Some(Base64(vec![7; 150])) });
        SyncUpdatesRequest { cookie, parameters: Some(parameters) }.encode(SoapVersion::V11)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        #[test]
        fn what_the_fast_path_reads_the_general_reader_reads_too(
            parameters in parameters(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..3),
        ) {
            let mut body = encoded(parameters);
            for (at, byte, kind) in changes {
                let at = at.index(body.len());
                match kind {
                    0 => body[at] = byte,
                    1 => body.insert(at, byte),
                    _ => { body.remove(at); }
                }
            }
            if let Some(quick) = read(&body, None, &LIMITS) {
                let general = Request::decode_generally(&body, None, &LIMITS);
                prop_assert_eq!(Ok(quick), general);
            }
        }
    }

    #[test]
    fn plain_software_passes_take_the_fast_path() {
        let parameters = SyncUpdateParameters {
            express_query: Some(false),
            installed_non_leaf: (1..30).collect(),
            other_cached: (30..60).collect(),
            need_two_group_out_of_scope: Some(true),
            computer_spec: Some(ComputerHardwareSpecification::default()),
            products_parameters: Some(ProductsParameters {
                sync_current_version_only: Some(false),
                device_attributes: Some("App=WU_OS;OEMModel=Standard PC (Q35 + ICH9, 2009);".into()),
                caller_attributes: Some("Interactive=0;".into()),
                products: Some(Text::default()),
            }),
            ..SyncUpdateParameters::default()
        };
        let body = encoded(parameters);
        let action =
            Some("\"http://www.microsoft.com/SoftwareDistribution/Server/ClientWebService/SyncUpdates\"");
        let quick = read(&body, action, &LIMITS);
        assert!(quick.is_some());
        assert_eq!(quick, Request::decode_generally(&body, action, &LIMITS).ok());
        assert_eq!(read(&body, Some("GetConfig"), &LIMITS), None, "the general reader says what is wrong");
    }

    #[test]
    fn limits_are_kept() {
        let body = encoded(SyncUpdateParameters { other_cached: (1..50).collect(), ..Default::default() });
        assert!(read(&body, None, &Limits::REQUEST).is_some());
        for limits in [
            Limits { bytes: body.len() - 1, ..Limits::REQUEST },
            Limits { array: 48, ..Limits::REQUEST },
            Limits { elements: 60, ..Limits::REQUEST },
            Limits { text: 100, ..Limits::REQUEST },
            Limits { depth: 4, ..Limits::REQUEST },
        ] {
            assert_eq!(read(&body, None, &limits), None, "{limits:?}");
        }
    }
}
