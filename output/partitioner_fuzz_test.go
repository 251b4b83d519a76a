package output

import (
	"encoding/binary"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// murmur2 is a copy of Kafka's Utils.murmur2. It shares no code with rafka's implementation.
func murmur2(key []byte) uint32 {
	const m = 0x5bd1e995
	h := 0x9747b28c ^ uint32(len(key))
	for ; len(key) >= 4; key = key[4:] {
		k := binary.LittleEndian.Uint32(key) * m
		h = h*m ^ (k^k>>24)*m
	}
	for i, b := range key {
		h ^= uint32(b) << (8 * i)
	}
	if len(key) > 0 {
		h *= m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

func FuzzKeysLandWhereKafkaPutsThem(f *testing.F) {
	for _, key := range []string{
		"a", "21", "abc", "foobar", "a-little-bit-long-string", "\xff\x80\x00", "\x00", "\x80\x80\x80\x80\x80",
	} {
		f.Add([]byte(key), uint32(12))
		f.Add([]byte(key), uint32(100_000))
	}
	f.Fuzz(func(t *testing.T, key []byte, count uint32) {
		count = 1 + count%100_000
		got := keyPartition(key, int(count))
		require.True(t, got >= 0 && got < int(count), "%d of %d", got, count)
		if len(key) == 0 {
			return // spread at random
		}
		require.Equal(t, int(murmur2(key)&0x7fffffff)%int(count), got)
		if count < 1000 {
			partitions := make([]int, count)
			for i := range partitions {
				partitions[i] = i
			}
			require.Equal(t, otherClient(key, partitions), got)
		}
	})
}

// A manual partition is the number in the text if that partition exists. Otherwise the error names
// the field.
func FuzzManualPartitions(f *testing.F) {
	for _, text := range []string{
		"", "0", "3", " 3\n", "-1", "+1", "1.0", "1e3", "0x1", "1_0", "٣", "99999999999999999999", "null", "007",
	} {
		f.Add(text, uint32(4))
	}
	f.Add("4", uint32(4)) // of five
	f.Add("5", uint32(4))
	f.Fuzz(func(t *testing.T, text string, count uint32) {
		count = 1 + count%100_000
		got, err := newPartitioner(manual).newBatch().choose("orders", int(count), "key", text)
		number, isNumber := new(big.Int).SetString(strings.TrimSpace(text), 10)
		if isNumber && number.Sign() >= 0 && number.Cmp(big.NewInt(int64(count))) < 0 {
			require.NoError(t, err)
			require.EqualValues(t, number.Int64(), got)
			return
		}
		require.ErrorContains(t, err, "field partition")
	})
}
