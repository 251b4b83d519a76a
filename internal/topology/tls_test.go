package topology

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// trustingTLS returns the tls field with the CA of the certificates, and more fields of tls.
func trustingTLS(c *redistest.Certificates, more string) string {
	return "tls:\n  root_cas_file: " + c.CAFile + "\n" + more
}

// clientCertificate returns a client certificate as a field of tls.
func clientCertificate(c *redistest.Certificates) string {
	return fmt.Sprintf("  client_certs: [{cert_file: %s, key_file: %s}]\n", c.CertFile, c.KeyFile)
}

func TestTLSWithPrivateCAAndClientCertificate(t *testing.T) {
	t.Parallel()
	certificates := redistest.NewCertificates(t)
	tls := trustingTLS(certificates, clientCertificate(certificates))
	for name, start := range map[string]func(t *testing.T) (deployment, redis.UniversalClient){
		"single": func(t *testing.T) (deployment, redis.UniversalClient) {
			s := redistest.StartTLS(t)
			fields := "url: " + s.URL() + "\n" + trustingTLS(s.Certificates, clientCertificate(s.Certificates))
			return deployment{fields: fields}, s.Client(t)
		},
		"cluster": func(t *testing.T) (deployment, redis.UniversalClient) {
			c := redistest.StartTLSCluster(t, 3, 0, certificates)
			return onCluster(c, "", 0).with(tls), c.Client(t)
		},
		"sentinel": func(t *testing.T) (deployment, redis.UniversalClient) {
			s := redistest.StartSentinel(t, redistest.SentinelOptions{TLS: certificates, DownAfter: noFailover})
			return onSentinel(s, tls), s.Client(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, client := start(t)
			d.topic, d.partitions = "orders", 4
			consumers := newConsumers()
			consumers.join(t, "ann", d)
			require.NoError(t, startWriter(t, d).write(t.Context(), 1000))
			consumers.await(t, 1000)
			awaitLagZero(t, client, d, 1000)
			assert.Zero(t, consumers.repeated())
		})
	}
}

func TestTLSErrorsNameTheRemedy(t *testing.T) {
	t.Parallel()
	s, expired, plain := redistest.StartTLS(t), redistest.StartExpiredTLS(t), redistest.Start(t)
	certificate, old := clientCertificate(s.Certificates), expired.Certificates
	for name, c := range map[string]struct{ url, tls, message string }{
		"another host":          {s.WrongURL(), trustingTLS(s.Certificates, certificate), "one of these hosts"},
		"no client certificate": {s.URL(), trustingTLS(s.Certificates, ""), "`tls.client_certs`"},
		"unknown authority":     {s.URL(), trustingTLS(old, certificate), "`tls.root_cas_file`"},
		"expired":               {expired.URL(), trustingTLS(old, clientCertificate(old)), "expired"},
		"no TLS in the url":     {"redis://" + s.Addr(), "", "rediss://"},
		"no TLS on the server":  {"rediss://" + plain.Addr(), "", "does not speak TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := deployment{fields: "url: " + c.url + "\n" + c.tls, topic: "orders", partitions: 4}
			requireConnectError(t, d, c.message)
		})
	}
}

func TestSkipCertVerify(t *testing.T) {
	t.Parallel()
	s := redistest.StartTLS(t, "--tls-auth-clients", "no")
	d := deployment{
		fields:     "url: " + s.WrongURL() + "\ntls:\n  skip_cert_verify: true\n",
		topic:      "orders",
		partitions: 4,
	}
	consumers := newConsumers()
	consumers.join(t, "ann", d)
	require.NoError(t, startWriter(t, d).write(t.Context(), 200))
	consumers.await(t, 200)
}
