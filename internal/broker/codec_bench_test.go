package broker

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
)

var usual = []string{"body", string(bytes.Repeat([]byte("x"), 256)), KeyField, "customer-17"}

func TestAllocationsOfTheCodec(t *testing.T) {
	body := []byte(usual[1])
	assert.Equal(t, 2, int(testing.AllocsPerRun(100, func() { Encode(body, "body", "customer-17", nil) })), "the fields and the body")
	assert.Zero(t, testing.AllocsPerRun(100, func() { Decode(usual, "body") }))
}

func BenchmarkEncode(b *testing.B) {
	body := []byte(usual[1])
	b.ReportAllocs()
	for b.Loop() {
		Encode(body, "body", "customer-17", nil)
	}
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Decode(usual, "body")
	}
}
