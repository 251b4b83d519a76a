package simulation

import "github.com/rafka-streams/rafka/splits"

// checkDeleted checks that the entries that an acknowledgement has deleted were processed. The
// caller holds the lock.
func (o *shareOracle) checkDeleted(ack splits.ShareAck, answer splits.ShareAcked) {
	if !ack.Delete || answer.Err != nil {
		return
	}
	if answer.Kept != nil {
		o.counts.count("(acknowledged and kept)")
		return
	}
	for _, offset := range ack.Offsets {
		r := o.at[ack.Split.Key][offset]
		if r.present && !r.processed && !r.removed {
			o.violated(ack.Split.Key, "%s was deleted, but no pipeline has processed it", r.id)
		}
		r.present = false
	}
	o.counts.count("(deleted)")
}
