package main

import (
	"fmt"
	"io"

	"github.com/rafka-streams/rafka/internal/admin"
)

// writeShareGroup writes the description of a share group.
func writeShareGroup(w io.Writer, group admin.GroupDescription) {
	pending := int64(0)
	for _, p := range group.Partitions {
		if p.Share != nil {
			pending += p.Share.Pending
		}
	}
	row(w, "Group:", group.Group)
	row(w, "Topic:", group.Topic)
	row(w, "Type:", group.Type)
	row(w, "Lag:", totalLag(group.Partitions))
	row(w, "Pending:", pending)
	row(w, "Members:", len(group.Members))
	row(w)
	row(w, "CONSUMER", "STATE", "PENDING")
	for _, c := range group.Consumers {
		row(w, c.Name, c.State, c.Pending)
	}
	row(w)
	row(w, "PARTITION", "LAG", "PENDING", "OLDEST PENDING", "AGE", "DELIVERIES")
	for _, p := range group.Partitions {
		share := p.Share
		if share == nil {
			share = &admin.SharePartition{}
		}
		deliveries := none
		if share.Deliveries > 0 {
			deliveries = fmt.Sprint(share.Deliveries)
		}
		row(w, p.Split.Partition, lag(p.Lag, p.LagExact), share.Pending, optional(share.Oldest), duration(p.Age),
			deliveries)
	}
}

// writeSoughtShare writes where a share group was moved and what happens to its pending entries.
func writeSoughtShare(w io.Writer, sought admin.SeekResult) {
	again, skipped := int64(0), int64(0)
	for _, p := range sought.Partitions {
		again += p.Share.Again
		skipped += p.Share.Pending - p.Share.Again
	}
	if again > 0 {
		row(w, fmt.Sprintf("note: %s after the new offsets: they are delivered again, also if a member still works "+
			"on them", count(again, "pending entry is", "pending entries are")))
	}
	if skipped > 0 {
		row(w, fmt.Sprintf("note: %s up to the new offsets: no member delivers them again",
			count(skipped, "pending entry is", "pending entries are")))
	}
	row(w)
	row(w, "PARTITION", "BEFORE", "AFTER", "LAG", "PENDING", "DELIVERED AGAIN")
	for _, p := range sought.Partitions {
		row(w, p.Split.Partition, optional(p.Before), p.After, lag(p.Lag, p.LagExact), p.Share.Pending, p.Share.Again)
	}
}
