//! URLs and header fields that were accepted arrive as they were given.

use barewire::wire::{
    http::{Event, Header, MAX_HEAD_BYTES, RequestDecoder, Scheme, Url, push_request_head},
    post::read_url,
};

/// Reads the first line of `text` as a URL, and the rest as a header field; what is accepted is read back.
///
/// # Panics
/// When it comes back as something else.
pub fn check(text: &str) {
    let (url, header) = text.split_once('\n').unwrap_or((text, ""));
    check_credentials(url);
    let url = Url::parse(url).ok();
    let header: Option<Header> = header.parse().ok();
    if let Some(url) = &url {
        check_url(url);
    }
    if let Some(header) = &header {
        assert_eq!(Header::new(header.name(), header.value()).as_ref(), Ok(header));
    }
    if let (Some(url), Some(header)) = (url, header) {
        check_head(&url, &header);
    }
}

/// Credentials are taken out of a URL that has some, and change nothing else in it.
fn check_credentials(text: &str) {
    let Ok((url, auth)) = read_url(text) else { return };
    match Url::parse(text) {
        Ok(plain) => assert!(auth.is_none() && plain == url),
        Err(_) => {
            assert_eq!(format!("{:?}", auth.expect("why it is no URL")), "Auth(Basic …)");
            check_url(&url);
        }
    }
}

fn check_url(url: &Url) {
    let scheme = match url.scheme() {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let text = format!("{scheme}://{}{}", url.authority(), url.target());
    assert_eq!(Url::parse(&text).as_ref(), Ok(url));
    let longer = url.join_path("/v1");
    assert!(longer.target().split('?').next().is_some_and(|path| path.ends_with("/v1")));
    let shown = url.to_string();
    assert!(shown.split_once('?').is_none_or(|(_, query)| query == "…"), "{shown} shows the query");
}

fn check_head(url: &Url, header: &Header) {
    let mut out = Vec::new();
    push_request_head(&mut out, "GET", url.target(), url.authority(), std::slice::from_ref(header), None);
    let (consumed, event) = RequestDecoder::new(MAX_HEAD_BYTES).decode(&out).expect("a head that is right");
    let Event::Head(head) = event else { panic!("a head that is whole, not {event:?}") };
    assert_eq!((consumed, head.target), (out.len(), url.target()));
    assert_eq!(head.header(header.name()), Some(header.value().as_bytes()));
}
