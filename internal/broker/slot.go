package broker

import (
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/splits"
)

// clusterSlots is the number of hash slots of a Redis Cluster.
const clusterSlots = 16384

// Shard names the splits that one Fetch may read together: all on a single server, where it is "",
// and those of one slot on a cluster, where it is the number of the slot. It does no I/O.
func (l *Log) Shard(split splits.Split) string {
	if _, ok := l.control.(*redis.ClusterClient); !ok {
		return ""
	}
	return strconv.Itoa(slotOf(split.Key))
}

// slotOf computes the hash slot of a key as the Redis Cluster specification defines it: the CRC16
// (XMODEM: polynomial 0x1021, from 0) of the key, or of its first hash tag if that is not empty.
// go-redis does the same, but keeps it to itself.
func slotOf(key string) int {
	if _, rest, open := strings.Cut(key, "{"); open {
		if tag, _, closed := strings.Cut(rest, "}"); closed && tag != "" {
			key = tag
		}
	}
	var crc uint16
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			carry := crc & 0x8000
			crc <<= 1
			if carry != 0 {
				crc ^= 0x1021
			}
		}
	}
	return int(crc) % clusterSlots
}
