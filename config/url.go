package config

import (
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Schemes of the field url.
const (
	schemeRedis    = "redis"
	schemeTLS      = "rediss"
	schemeUnix     = "unix"
	schemeEmbedded = "embedded"

	defaultPort = "6379"
	schemeHelp  = "use redis://, rediss://, unix:// or embedded://name"
)

// parsedURL holds the parts of the field url. Only user holds credentials.
type parsedURL struct {
	scheme string
	// addrs holds host:port, the path of a unix socket, or the name of an embedded server.
	addrs []string
	// serverName is the host that TLS certificates must be issued for. It is empty if there are
	// several hosts: then each host needs its own certificate.
	serverName string
	user       *url.Userinfo
	db         int
	options    url.Values
}

// parseURL parses the field url. net/url and go-redis repeat the URL, or parts of it, in their
// errors. Since these can be parts of a password, the errors here quote only schemes and names of
// options.
func parseURL(text string, p *Problems) (parsedURL, bool) {
	before := len(*p)
	parts := strings.Split(text, ",")
	if strings.TrimSpace(text) == "" {
		p.Add(fieldURL, "is empty: set it to the address of Redis, such as redis://localhost:6379")
		return parsedURL{}, false
	}
	var parsed parsedURL
	for i, part := range parts {
		u, ok := parseAddress(strings.TrimSpace(part), position(i, len(parts)), p)
		if !ok {
			return parsedURL{}, false
		}
		if i == 0 {
			parsed = readFirst(u, p)
		} else {
			parsed.checkFollower(u, position(i, len(parts)), p)
		}
		parsed.addAddress(u, position(i, len(parts)), p)
	}
	checkHidden(text, parsed.user, p)
	if len(*p) > before {
		return parsedURL{}, false
	}
	return parsed, true
}

// position returns a prefix that names an address of a list, or "" for a single address.
func position(i, n int) string {
	if n == 1 {
		return ""
	}
	return "address " + strconv.Itoa(i+1) + " of the list: "
}

func parseAddress(text, where string, p *Problems) (*url.URL, bool) {
	scheme, rest, found := strings.Cut(text, "://")
	switch {
	case text == "":
		p.Add(fieldURL, "%sis empty: remove the extra comma", where)
	case !found || strings.ContainsAny(scheme, ":@/ "):
		p.Add(fieldURL, "%shas no scheme: %s (a comma inside a password is %%2C)", where, schemeHelp)
	case scheme != schemeRedis && scheme != schemeTLS && scheme != schemeUnix && scheme != schemeEmbedded:
		if where != "" {
			scheme = "..." // it can be the part of a password after a comma
		}
		p.Add(
			fieldURL,
			"%sscheme %q is not supported: %s (a comma inside a password is %%2C)",
			where,
			scheme,
			schemeHelp,
		)
	default:
		u, err := url.Parse(text)
		// An @ or a # after the host means that the password contains an unescaped / or #.
		end := max(strings.IndexAny(rest, "/?#"), 0)
		if err == nil && !strings.Contains(rest, "#") && (end == 0 || !strings.Contains(rest[end:], "@")) {
			return u, true
		}
		p.Add(
			fieldURL,
			"%sis not a valid URL: percent-encode special characters in the user name and password (@ is %%40, / is "+
				"%%2F, # is %%23), as in redis://user:p%%40ss@host:6379, or use the fields username and password",
			where,
		)
	}
	return nil, false
}

func readFirst(u *url.URL, p *Problems) parsedURL {
	t := parsedURL{scheme: u.Scheme, user: u.User}
	var err error
	if t.options, err = url.ParseQuery(u.RawQuery); err != nil {
		p.Add(
			fieldURL,
			"the options after the question mark are malformed: write name=value&name=value, percent-encoded",
		)
	}
	if t.scheme == schemeUnix {
		return t
	}
	if db := strings.Trim(u.Path, "/"); db != "" {
		if t.db, err = strconv.Atoi(db); err != nil || t.db < 0 || t.db > math.MaxInt32 {
			p.Add(fieldURL, "the part after the host must be a database number, as in redis://host:6379/0")
		}
	}
	return t
}

// checkFollower rejects a further address that contradicts the first address, since only one of
// them could apply.
func (t *parsedURL) checkFollower(u *url.URL, where string, p *Problems) {
	if u.Scheme != t.scheme {
		p.Add(fieldURL, "%shas scheme %q, the first has %q: use one scheme for all", where, u.Scheme, t.scheme)
		return
	}
	same := u.User == nil || (t.user != nil && u.User.String() == t.user.String())
	same = same && (u.RawQuery == "" || u.Query().Encode() == t.options.Encode())
	if db := strings.Trim(u.Path, "/"); db != "" && t.scheme != schemeUnix {
		same = same && db == strconv.Itoa(t.db)
	}
	if !same {
		p.Add(
			fieldURL,
			"%shas credentials, a database number or options that differ from the first address: give them with the "+
				"first address only",
			where,
		)
	}
}

func (t *parsedURL) addAddress(u *url.URL, where string, p *Problems) {
	host, port := u.Hostname(), u.Port()
	switch {
	case t.scheme == schemeUnix && (host != "" || strings.Trim(u.Path, "/") == ""):
		p.Add(
			fieldURL,
			"%sthe path of the socket is missing or not absolute: write three slashes, as in "+
				"unix:///var/run/redis.sock",
			where,
		)
	case t.scheme == schemeUnix:
		t.addrs = append(t.addrs, u.Path)
	case t.scheme == schemeEmbedded && (host == "" || port != ""):
		p.Add(fieldURL, "%sthe embedded server needs a name and no port, as in embedded://demo", where)
	case t.scheme == schemeEmbedded && u.User != nil:
		p.Add(fieldURL, "%sthe embedded server has no passwords: remove the credentials", where)
	case t.scheme == schemeEmbedded:
		t.addrs = append(t.addrs, host)
	case host == "" && port == "":
		p.Add(fieldURL, "%sthe host is missing, as in redis://localhost:6379", where)
	case !validPort(port):
		p.Add(fieldURL, "%sthe port must be a number from 1 to 65535, as in redis://localhost:6379", where)
	default:
		t.addHost(host, port)
	}
}

func (t *parsedURL) addHost(host, port string) {
	if host == "" {
		host = "localhost"
	}
	if port == "" {
		port = defaultPort
	}
	if len(t.addrs) == 0 {
		t.serverName = host
	} else if t.serverName != host {
		t.serverName = ""
	}
	t.addrs = append(t.addrs, net.JoinHostPort(host, port))
}

func validPort(port string) bool {
	n, err := strconv.Atoi(port)
	return port == "" || (err == nil && n >= 1 && n <= 65535)
}

// String returns the URL for go-redis: without credentials, and with a placeholder for a host that
// go-redis can't parse.
func (t *parsedURL) String() string {
	u := url.URL{Scheme: t.scheme, Host: t.addrs[0], RawQuery: t.options.Encode()}
	switch t.scheme {
	case schemeUnix:
		u.Host, u.Path = "", t.addrs[0]
	case schemeEmbedded:
		u.Scheme, u.Host = schemeRedis, "localhost"
	}
	return u.String()
}
