package rediserr

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"
)

const remedyPlain = "use redis:// in `url` and set `tls.enabled` to false, or use the server's TLS port"

// tlsRemedy returns the remedy for a connection error that TLS may have caused. It returns "" if
// TLS is not the cause.
func tlsRemedy(err error) string {
	if _, noTLS := errors.AsType[tls.RecordHeaderError](err); noTLS {
		return "the server does not speak TLS on this port: " + remedyPlain
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "handshake" {
		return "the server did not answer the TLS handshake: it is overloaded, or does not speak TLS on this port: " +
			remedyPlain
	}
	if _, other := errors.AsType[x509.HostnameError](err); other {
		return "the server's certificate is for other hosts: set `url` to one of these hosts, or give the server a " +
			"certificate for the host in `url`"
	}
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		return "the server's certificate is signed by an authority that this machine does not trust: set " +
			"`tls.root_cas_file` to the certificate of this authority"
	}
	if _, invalid := errors.AsType[*tls.CertificateVerificationError](err); invalid {
		return "the server's certificate is not valid: replace it, or correct the field `tls`"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return "the server rejected the TLS connection: set `tls.client_certs` to a certificate that the server accepts"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return remedyUnreachable + "; if the server speaks TLS, use rediss:// in `url`"
	}
	return ""
}
