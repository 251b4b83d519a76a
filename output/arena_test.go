package output

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestArenaKeepsItsContent(t *testing.T) {
	for _, announced := range []int{0, 1, 1000} {
		p := &arena{left: announced}
		var want, bodies, keys []string
		var lists [][]string
		for i := range 1000 {
			want = append(want, strings.Repeat(fmt.Sprintf("%04d", i), i%40*i%300))
			source := []byte(want[i])
			bodies, keys = append(bodies, p.body(source)), append(keys, p.key(want[i]))
			lists = append(lists, append(p.list(i%7), want[i][:0], fmt.Sprint(i))) // some are longer than announced
			clear(source)
		}
		assert.Equal(t, want, bodies)
		assert.Equal(t, want, keys)
		for i, list := range lists {
			assert.Equal(t, []string{"", fmt.Sprint(i)}, list)
		}
	}
}

func TestArenaTakesFewAllocationsOfTheNeededSize(t *testing.T) {
	body := []byte(strings.Repeat("x", 256))
	write := func(records int) func() {
		return func() {
			p := &arena{}
			for i := range records {
				p.left = records - i
				p.body(body)
				p.list(4)
			}
		}
	}
	assert.Equal(t, 2, int(testing.AllocsPerRun(100, write(1))))
	assert.Equal(t, 2, int(testing.AllocsPerRun(100, write(100))))
	assert.Equal(t, 4+1, int(testing.AllocsPerRun(100, write(1000))), "texts and fields")
	p := &arena{left: 1}
	p.body(body)
	p.list(4)
	assert.Equal(t, []int{256, 4}, []int{p.texts.Cap(), cap(p.fields)}, "for one")
}

func TestLargeBodyIsNotOnTheArena(t *testing.T) {
	p := &arena{left: 1000}
	large := strings.Repeat("x", arenaBytes/8+1)
	assert.Equal(t, large, p.body([]byte(large)))
	assert.Equal(t, large, p.key(large))
	assert.Zero(t, p.texts.Cap())
}
