package rediserr

import (
	"crypto/tls"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestTLSTroubleHasARemedy(t *testing.T) {
	t.Parallel()
	secure := redistest.StartTLS(t)
	for name, trouble := range map[string]struct {
		change func(*redis.Options)
		remedy string
	}{
		"another host": {
			func(o *redis.Options) { o.TLSConfig.ServerName = "127.0.0.1" },
			"set `url` to one of these hosts",
		},
		"unknown authority":     {func(o *redis.Options) { o.TLSConfig.RootCAs = nil }, "`tls.root_cas_file`"},
		"no client certificate": {func(o *redis.Options) { o.TLSConfig.Certificates = nil }, "`tls.client_certs`"},
		"no TLS here":           {func(o *redis.Options) { o.TLSConfig = nil }, "rediss://"},
	} {
		t.Run(name, func(t *testing.T) {
			client := secure.Client(t, trouble.change, func(o *redis.Options) { o.DialerRetries = 1 })
			err := Explain(client.Ping(t.Context()).Err())
			assert.ErrorContains(t, err, trouble.remedy)
			assert.Equal(t, ClassConnection, Classify(err))
		})
	}
	assert.ErrorContains(
		t,
		Explain(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}),
		"does not speak TLS",
	)
	expired := Explain(&tls.CertificateVerificationError{Err: assert.AnError})
	assert.ErrorContains(t, expired, "correct the field `tls`")
}
