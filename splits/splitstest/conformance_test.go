package splitstest

import (
	"errors"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/rafka-streams/rafka/splits"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory returns the harness of a new Store.
func memory(*testing.T) Harness {
	store := NewStore()
	topics := 0
	return Harness{
		Topic: func() string {
			topics++
			return "topic-" + string(rune('a'+topics))
		},
		Group:         func(topic, group string) splits.Group { return store.Group(topic, group) },
		Leases:        func(_, group string) splits.Leases { return store.Leases(group) },
		Streams:       func(string) splits.Streams { return store.Streams() },
		SetPartitions: store.SetPartitions,
		Append:        store.Append,
		TrimTo:        store.TrimTo,
		Delete:        func(split splits.Split, offset splits.Offset) { store.Delete(split, offset) },
		Drop:          store.Drop,
		SetWrongType:  func(split splits.Split) { store.Break(split, errors.New("another type")) },
		Flush:         func(string) { store.FlushAll() },

		Adoptions:       func(_, group string) splits.Adoptions { return store.Adoptions(group) },
		AddForeignGroup: store.AddForeignGroup,
		ForeignGroup:    store.ForeignGroup,
		ReadForeign:     store.ReadForeign,
	}
}

func TestStoreInMemoryConforms(t *testing.T) { TestStore(t, memory) }

func TestStoreInMemoryConformsInSimulatedTime(t *testing.T) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.Run(t, memory(t)) })
		})
	}
}

// A wrapper without faults must not change anything.
func TestHarmlessFaultsConform(t *testing.T) {
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := memory(t)
				var faults Faults
				group, leases, log := h.Group, h.Leases, h.Streams
				h.Group = func(topic, name string) splits.Group { return faults.Group(group(topic, name)) }
				h.Leases = func(topic, name string) splits.Leases { return faults.Leases(leases(topic, name)) }
				h.Streams = func(topic string) splits.Streams { return faults.Streams(log(topic)) }
				adoptions := h.Adoptions
				h.Adoptions = func(topic, name string) splits.Adoptions {
					return faults.Adoptions(adoptions(topic, name))
				}
				c.Run(t, h)
			})
		})
	}
}
