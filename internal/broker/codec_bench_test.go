package broker

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
)

var usual = []string{"body", string(bytes.Repeat([]byte("x"), 256)), KeyField, "customer-17"}

func TestCodecDoesNotAllocate(t *testing.T) {
	room := make([]string, 0, 4)
	assert.Zero(t, testing.AllocsPerRun(100, func() { Encode(room, usual[1], "body", "customer-17", nil) }))
	assert.Zero(t, testing.AllocsPerRun(100, func() { Decode(usual, "body") }))
}

func BenchmarkEncode(b *testing.B) {
	room := make([]string, 0, 4)
	b.ReportAllocs()
	for b.Loop() {
		Encode(room, usual[1], "body", "customer-17", nil)
	}
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Decode(usual, "body")
	}
}
