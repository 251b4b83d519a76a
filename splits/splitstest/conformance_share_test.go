package splitstest

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// sharesInMemory returns the harness of a new Store.
func sharesInMemory(t *testing.T) ShareHarness {
	store := NewStore()
	topics := 0
	return ShareHarness{
		Topic: func() string {
			topics++
			return "topic-" + string(rune('a'+topics))
		},
		Group:         func(topic, group string) splits.ShareGroup { return store.ShareGroup(topic, group) },
		Shares:        func(topic, group string) splits.Shares { return store.Shares(topic, group) },
		Consumers:     func(topic, group string) splits.Group { return store.Group(topic, group) },
		SetPartitions: store.SetPartitions,
		Append:        store.Append,
		AppendAt: func(split splits.Split, at splits.Offset) splits.Offset {
			require.True(t, store.AppendAt(split, at, "body", "x"))
			return at
		},
		TrimTo:       store.TrimTo,
		Drop:         store.Drop,
		SetWrongType: func(split splits.Split) { store.Break(split, errors.New("another type")) },
		Flush:        func(string) { store.FlushAll() },
		Destroy:      store.DropShare, DeliverForeign: store.DeliverForeign,
		DropMembers: store.DropMembers, DropRegistry: store.DropRegistry, CreateNative: store.CreateNative,
		DropMark: store.DropShareMark,
	}
}

func TestSharesInMemoryConform(t *testing.T) {
	for _, c := range ShareCases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.Run(t, sharesInMemory(t)) })
		})
	}
}

// A wrapper without faults must not change anything.
func TestSharesWithHarmlessFaultsConform(t *testing.T) {
	for _, c := range ShareCases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := sharesInMemory(t)
				var faults Faults
				group, shares := h.Group, h.Shares
				h.Group = func(topic, name string) splits.ShareGroup { return faults.ShareGroup(group(topic, name)) }
				h.Shares = func(topic, name string) splits.Shares { return faults.Shares(shares(topic, name)) }
				c.Run(t, h)
			})
		})
	}
}
