//! HTTP through a proxy, as proxies expect it. ureq asks them to `CONNECT` even for plain HTTP, which most allow for port 443
//! only. Here the request itself goes to the proxy, with the whole URL in its first line, which RFC 9112 calls the absolute
//! form.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use std::sync::Arc;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport,
};
use ureq::{Agent, Error, Proxy, ProxyProtocol};

/// Which proxy to use, and for which hosts none.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    proxy: Option<Proxy>,
    /// Names of hosts, which include their subdomains, each with or without a port; `*` means all.
    direct: Vec<String>,
}

impl Proxies {
    /// From the environment: `http_proxy`, or else `all_proxy`, and `no_proxy`, in lower or upper case. A proxy that does not
    /// speak plain HTTP is ignored.
    pub fn from_env() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    fn new(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| {
            let values = [variable(name), variable(&name.to_uppercase())];
            values.into_iter().flatten().find(|value| !value.trim().is_empty())
        };
        let parse = |value: String| Proxy::new(value.trim()).ok();
        let speaks_http = |proxy: &Proxy| proxy.protocol() == ProxyProtocol::Http;
        let proxy =
            ["http_proxy", "all_proxy"].into_iter().filter_map(either).filter_map(parse).find(speaks_http);
        let direct = either("no_proxy").unwrap_or_default();
        let direct = direct.split([',', ' ']).map(|host| host.trim().to_lowercase());
        Self { proxy, direct: direct.filter(|host| !host.is_empty()).collect() }
    }

    /// The proxy for this URL, unless the host is to be asked directly.
    fn of(&self, uri: &Uri) -> Option<&Proxy> {
        let host = uri.host()?.trim_matches(['[', ']']).to_lowercase();
        let port = uri.port_u16().unwrap_or(80).to_string();
        let is_direct = |entry: &String| {
            let (name, of_port) = match entry.rsplit_once(':') {
                // The last part of an IPv6 address is not a port.
                Some((name, of_port)) if !name.contains(':') || name.ends_with(']') => {
                    (name, of_port == port)
                }
                _ => (entry.as_str(), true),
            };
            let name = name.trim_matches(['[', ']']).trim_start_matches("*.").trim_start_matches('.');
            let is_below = || host.strip_suffix(name).is_some_and(|before| before.ends_with('.'));
            of_port && (name == "*" || host == name || is_below())
        };
        self.proxy.as_ref().filter(|_| uri.scheme_str() == Some("http") && !self.direct.iter().any(is_direct))
    }

    /// An agent that uses these proxies. `config` must not name a proxy itself.
    pub fn agent(self, config: Config) -> Agent {
        let proxies = Arc::new(self);
        let resolver = ProxyResolver { proxies: proxies.clone(), resolver: DefaultResolver::default() };
        Agent::with_parts(config, ().chain(TcpConnector::default()).chain(AbsoluteForm { proxies }), resolver)
    }
}

/// Resolves the address of the proxy instead of that of the host, which only the proxy may be able to resolve.
#[derive(Debug)]
struct ProxyResolver {
    proxies: Arc<Proxies>,
    resolver: DefaultResolver,
}

impl Resolver for ProxyResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let asked = self.proxies.of(uri).map_or(uri, Proxy::uri);
        self.resolver.resolve(asked, config, timeout)
    }
}

/// Makes requests to a proxy start with the whole URL.
#[derive(Debug)]
struct AbsoluteForm {
    proxies: Arc<Proxies>,
}

impl<In: Transport> Connector<In> for AbsoluteForm {
    type Out = Connection<In>;

    fn connect(
        &self,
        details: &ConnectionDetails,
        chained: Option<In>,
    ) -> Result<Option<Connection<In>>, Error> {
        let asked = self.proxies.of(details.uri).zip(details.uri.authority());
        let start = asked.map(|(proxy, authority)| Start {
            origin: format!("http://{authority}"),
            authorization: proxy.username().map(|name| {
                let password = proxy.password().unwrap_or_default();
                format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(format!("{name}:{password}")))
            }),
        });
        Ok(chained.map(|inner| Connection { inner, start }))
    }
}

/// A connection to a proxy or to the host itself.
#[derive(Debug)]
struct Connection<T> {
    inner: T,
    /// What to change at the start of a request to a proxy.
    start: Option<Start>,
}

#[derive(Debug)]
struct Start {
    /// Scheme and host.
    origin: String,
    /// The header with the credentials.
    authorization: Option<String>,
}

impl Start {
    /// `request` as the proxy wants it: `GET /file HTTP/1.1` becomes `GET http://host/file HTTP/1.1`.
    fn of(&self, request: &[u8]) -> Option<Vec<u8>> {
        let path = request.strip_prefix(b"GET ")?;
        let line = path.windows(2).position(|two| two == b"\r\n")? + 2;
        let authorization = self.authorization.as_deref().unwrap_or_default();
        Some(
            [b"GET ", self.origin.as_bytes(), &path[..line], authorization.as_bytes(), &path[line..]]
                .concat(),
        )
    }
}

impl<T: Transport> Transport for Connection<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, mut amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if let Some(start) = &self.start {
            let output = self.inner.buffers().output();
            if let Some(request) = start.of(&output[..amount]) {
                let Some(room) = output.get_mut(..request.len()) else {
                    return Err(Error::Other("a URL that is too long for a request".into()));
                };
                room.copy_from_slice(&request);
                amount = request.len();
            }
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.inner.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::mpsc::{self, Receiver};
    use std::thread;

    /// A server that answers each request with the next of `answers`, and reports the lines of the requests.
    fn server(answers: Vec<String>) -> (String, Receiver<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
                sender.send(lines.take_while(|line| !line.is_empty()).collect()).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        (address, requests)
    }

    fn answer(status: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
    }

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        let find = |name: &str| variables.iter().find(|(own, _)| *own == name);
        Proxies::new(|name| find(name).map(|(_, value)| value.to_string()))
    }

    fn get(proxies: Proxies, url: &str) -> Result<String, Error> {
        proxies
            .agent(Agent::config_builder().proxy(None).build())
            .get(url)
            .call()?
            .into_body()
            .read_to_string()
    }

    #[test]
    fn a_proxy_is_asked_for_the_whole_url_and_not_to_connect() {
        let (address, requests) = server(vec![answer("200 OK", "", "the file")]);
        let proxies = proxies(&[("http_proxy", &format!("http://{address}"))]);
        // Only a proxy could resolve such a host.
        assert_eq!(get(proxies, "http://mirror.invalid/mnist/file.gz?a=b").unwrap(), "the file");
        let request = requests.recv().unwrap();
        assert_eq!(request[0], "GET http://mirror.invalid/mnist/file.gz?a=b HTTP/1.1");
        assert!(request.iter().any(|line| line.eq_ignore_ascii_case("host: mirror.invalid")), "{request:?}");
        assert!(!request.iter().any(|line| line.contains("Authorization")), "{request:?}");
    }

    #[test]
    fn a_proxy_is_told_who_asks_and_follows_redirects() {
        let moved = answer("302 Found", "Location: http://other.invalid:8080/there\r\n", "");
        let (address, requests) = server(vec![moved, answer("200 OK", "", "the file")]);
        let proxies = proxies(&[("ALL_PROXY", &format!("http://me:s%40y@{address}"))]);
        assert_eq!(get(proxies, "http://mirror.invalid/here").unwrap(), "the file");
        for first in
            ["GET http://mirror.invalid/here HTTP/1.1", "GET http://other.invalid:8080/there HTTP/1.1"]
        {
            let request = requests.recv().unwrap();
            let authorization = format!("Proxy-Authorization: Basic {}", BASE64.encode("me:s@y"));
            assert_eq!(request[..2], [first.to_string(), authorization]);
        }
    }

    #[test]
    fn hosts_without_a_proxy_are_asked_themselves() {
        let (proxy, _requests) = server(vec![]);
        let (address, requests) = server(vec![answer("200 OK", "", "the file")]);
        let proxies =
            proxies(&[("HTTP_PROXY", &format!("http://{proxy}")), ("NO_PROXY", "example.org, 127.0.0.1")]);
        assert_eq!(get(proxies, &format!("http://{address}/file")).unwrap(), "the file");
        assert_eq!(requests.recv().unwrap()[0], "GET /file HTTP/1.1");
    }

    #[test]
    fn what_a_proxy_refuses_is_an_error() {
        let (address, _requests) = server(vec![answer("403 Forbidden", "", "no")]);
        let error = get(proxies(&[("http_proxy", &format!("http://{address}"))]), "http://mirror.invalid/");
        assert!(matches!(error, Err(Error::StatusCode(403))), "{error:?}");
    }

    #[test]
    fn variables_are_read_as_other_programs_read_them() {
        let asked = |variables: &[(&str, &str)], url: &str| {
            let (proxies, uri) = (proxies(variables), url.parse().unwrap());
            proxies.of(&uri).map(|proxy| format!("{}:{}", proxy.host(), proxy.port()))
        };
        let url = "http://files.example.org/a";
        let proxy = Some("proxy:3128".to_string());
        for variables in [
            &[("http_proxy", "http://proxy:3128")][..],
            &[("HTTP_PROXY", " proxy:3128 ")],
            &[("http_proxy", ""), ("all_proxy", "http://proxy:3128/")],
            &[("http_proxy", "http://proxy:3128"), ("ALL_PROXY", "http://other:1")],
            &[("http_proxy", "socks5://other:1"), ("ALL_PROXY", "http://proxy:3128")],
        ] {
            assert_eq!(asked(variables, url), proxy, "{variables:?}");
        }
        for variables in
            [&[][..], &[("https_proxy", "http://proxy:3128")], &[("all_proxy", "socks5://proxy:3128")]]
        {
            assert_eq!(asked(variables, url), None, "{variables:?}");
        }
        let except = |direct: &str, url: &str| {
            asked(&[("http_proxy", "http://proxy:3128"), ("no_proxy", direct)], url)
        };
        for direct in [
            "*",
            "example.org",
            ".example.org",
            "*.example.org",
            "a, FILES.example.org",
            "files.example.org:80",
        ] {
            assert_eq!(except(direct, url), None, "{direct}");
        }
        for direct in ["", "example.com", "ample.org", "files.example.org:8080", "files", "org.", ","] {
            assert_eq!(except(direct, url), proxy, "{direct}");
        }
        for (direct, url) in [("::1", "http://[::1]:8000/"), ("[::1]:8000", "http://[::1]:8000/")] {
            assert_eq!(except(direct, url), None, "{direct}");
        }
    }
}
