package script

import "strings"

// Slots is the number of hash slots of a Redis Cluster.
const Slots = 16384

// SlotOf returns the hash slot of a key as the Redis Cluster specification defines it: the CRC16
// (XMODEM: polynomial 0x1021, from 0) of the key, or of its first hash tag if that is not empty.
// go-redis has the same function, but does not export it.
func SlotOf(key string) int {
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
	return int(crc) % Slots
}
