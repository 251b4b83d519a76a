package rediserr

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"
)

const remedyPlain = "use redis:// in `url` and leave `tls.enabled` off, or name its TLS port"

// tlsRemedy returns the remedy for a connection error that TLS may have caused. It returns "" if
// TLS is not the cause.
func tlsRemedy(err error) string {
	if _, noTLS := errors.AsType[tls.RecordHeaderError](err); noTLS {
		return "the server does not speak TLS on this port: " + remedyPlain
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "handshake" {
		return "the TLS handshake got no answer: the server is overloaded, or does not speak TLS on this port: " +
			remedyPlain
	}
	if _, other := errors.AsType[x509.HostnameError](err); other {
		return "the server's certificate is for other hosts: put one of those into `url`, or give the server a " +
			"certificate for this one"
	}
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		return "the server's certificate is signed by an authority that this machine does not trust: set " +
			"`tls.root_cas_file` to the certificate of that authority"
	}
	if _, invalid := errors.AsType[*tls.CertificateVerificationError](err); invalid {
		return "the server's certificate is not valid: see `tls`"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return "the server refuses our side of TLS: set `tls.client_certs` to a certificate that it accepts"
	}
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return remedyUnreachable + " and, if it speaks TLS, that `url` has rediss://"
	}
	return ""
}
