package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Certificates are certificates of servers that speak only TLS, signed by a private CA. The
// servers' certificate is for the host localhost: a client that connects to 127.0.0.1 must reject
// it.
type Certificates struct {
	CAFile string // the CA's certificate
	// CertFile and KeyFile identify a client.
	CertFile, KeyFile string

	serverCert, serverKey string
}

// NewCertificates creates certificates that are valid for a day.
func NewCertificates(t testing.TB) *Certificates {
	t.Helper()
	return newCertificates(t, time.Now().Add(24*time.Hour))
}

// newCertificates creates certificates; the server's is valid until the given time.
func newCertificates(t testing.TB, until time.Time) *Certificates {
	t.Helper()
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	c := &Certificates{CAFile: filepath.Join(dir, "ca.crt")}
	c.serverCert, c.serverKey = ca.issue(t, dir, "server", "localhost", until)
	c.CertFile, c.KeyFile = ca.issue(t, dir, "client", "client", time.Now().Add(24*time.Hour))
	return c
}

// options returns the options of a server with the certificate.
func (c *Certificates) options(args ...string) Options {
	return Options{TLS: true, Args: append([]string{
		"--tls-cert-file", c.serverCert, "--tls-key-file", c.serverKey, "--tls-ca-cert-file", c.CAFile,
	}, args...)}
}

// Config returns the TLS configuration of a client.
func (c *Certificates) Config(t testing.TB) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{
		RootCAs:      roots,
		Certificates: []tls.Certificate{pair},
		ServerName:   "localhost",
		MinVersion:   tls.VersionTLS12,
	}
}

// overTLS replaces the host in URLs of servers by the host of their certificate.
func overTLS(urls string) string {
	return strings.ReplaceAll(urls, "redis://127.0.0.1", "rediss://localhost")
}

// TLSServer is a Server whose port speaks only TLS.
type TLSServer struct {
	*Server
	*Certificates
}

// StartTLS starts a server that requires client certificates, unless args contain
// "--tls-auth-clients", "no".
func StartTLS(t testing.TB, args ...string) *TLSServer {
	t.Helper()
	return startTLS(t, NewCertificates(t), args...)
}

// StartExpiredTLS starts a server whose certificate expired a minute ago.
func StartExpiredTLS(t testing.TB) *TLSServer {
	t.Helper()
	return startTLS(t, newCertificates(t, time.Now().Add(-time.Minute)))
}

func startTLS(t testing.TB, certificates *Certificates, args ...string) *TLSServer {
	t.Helper()
	return &TLSServer{Server: launch(t, certificates.options(args...)), Certificates: certificates}
}

// Addr returns "localhost:port", for which the certificate is valid.
func (s *TLSServer) Addr() string {
	return strings.Replace(s.Server.Addr(), "127.0.0.1", "localhost", 1)
}

// URL returns "rediss://localhost:port".
func (s *TLSServer) URL() string { return "rediss://" + s.Addr() }

// WrongURL returns a URL with a host for which the certificate is not valid.
func (s *TLSServer) WrongURL() string { return "rediss://" + s.Server.Addr() }

// Client is Server.Client over TLS, with the client certificate.
func (s *TLSServer) Client(t testing.TB, options ...func(*redis.Options)) *redis.Client {
	t.Helper()
	overTLS := func(o *redis.Options) { o.Addr, o.TLSConfig = s.Addr(), s.Config(t) }
	return s.Server.Client(t, append([]func(*redis.Options){overTLS}, options...)...)
}

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// newAuthority creates a CA and writes its certificate to dir/name.crt.
func newAuthority(t testing.TB, dir, name string) *authority {
	t.Helper()
	key := newKey(t)
	cert := certificate(t, name, time.Now().Add(24*time.Hour))
	cert.IsCA, cert.BasicConstraintsValid, cert.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(fmt.Errorf("signing certificate %s: %w", name, err))
	}
	writePEM(t, filepath.Join(dir, name+".crt"), "CERTIFICATE", der)
	return &authority{cert: cert, key: key}
}

// issue creates a certificate for a host, which is also valid for clients, and writes dir/name.crt
// and dir/name.key.
func (a *authority) issue(t testing.TB, dir, name, host string, until time.Time) (certFile, keyFile string) {
	t.Helper()
	key := newKey(t)
	cert := certificate(t, name, until)
	cert.DNSNames, cert.KeyUsage = []string{host}, x509.KeyUsageDigitalSignature
	cert.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(fmt.Errorf("signing certificate %s: %w", name, err))
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(fmt.Errorf("encoding key %s: %w", name, err))
	}
	certFile, keyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	writePEM(t, certFile, "CERTIFICATE", der)
	writePEM(t, keyFile, "PRIVATE KEY", keyDER)
	return certFile, keyFile
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(fmt.Errorf("generating a key: %w", err))
	}
	return key
}

// certificate returns a certificate without key usages.
func certificate(t testing.TB, name string, until time.Time) *x509.Certificate {
	t.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(fmt.Errorf("choosing a serial number: %w", err))
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "redistest " + name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
	}
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(fmt.Errorf("writing a certificate: %w", err))
	}
}
