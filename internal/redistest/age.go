package redistest

import (
	"encoding/binary"
	"hash/crc64"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Age makes the deliveries of a stream's consumer groups look older: it moves the times at which
// consumers were seen and entries were delivered into the past. No command sets these times, so Age
// changes them in a dump of the stream. It does not change the IDs of entries.
func Age(t testing.TB, client *redis.Client, stream string, by time.Duration) {
	t.Helper()
	ctx := t.Context()
	dump, err := client.Dump(ctx, stream).Result()
	if err != nil {
		t.Fatalf("dumping %s: %v", stream, err)
	}
	now := time.Now().Add(time.Minute).UnixMilli() // the clock of the server can be ahead
	data := []byte(dump[:len(dump)-8])
	for i := 0; i+8 <= len(data); i++ {
		at := int64(binary.LittleEndian.Uint64(data[i:]))
		if at > now-time.Hour.Milliseconds() && at <= now {
			binary.LittleEndian.PutUint64(data[i:], uint64(at-by.Milliseconds()))
			i += 7
		}
	}
	data = binary.LittleEndian.AppendUint64(data, dumpSum(data))
	if err := client.RestoreReplace(ctx, stream, 0, string(data)).Err(); err != nil {
		t.Fatalf("restoring %s: %v", stream, err)
	}
}

// jones is the polynomial of the checksum of a dump, reversed.
var jones = crc64.MakeTable(0x95AC9329AC4BC9B5)

// dumpSum returns the checksum of a dump. Redis does not invert the checksum, as Go does.
func dumpSum(data []byte) uint64 { return ^crc64.Update(^uint64(0), jones, data) }
