package jetstream

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// says is a worker's report, heard at noon.
func says(name string, held, capacity int) Report {
	r := Report{Name: name, Capacity: capacity, Heard: noon}
	for p := range held {
		r.Partitions = append(r.Partitions, p)
	}
	return r
}

func (r Report) with(change func(*Report)) Report {
	change(&r)
	return r
}

func TestFairSharesOfPartitions(t *testing.T) {
	draining := func(r *Report) { r.Draining = true }
	gone := func(r *Report) { r.Gone = true }
	heard := func(ago time.Duration) func(*Report) { return func(r *Report) { r.Heard = noon.Add(-ago) } }
	tests := map[string]struct {
		held, capacity int
		others         []Report
		want           int
		shed           bool
	}{
		"one worker":                              {0, 64, nil, 64, false},
		"one worker that has all":                 {64, 64, nil, 64, false},
		"one worker that is small":                {10, 10, nil, 10, false},
		"a second joins":                          {64, 64, []Report{says("b", 0, 64)}, 32, true},
		"two, shared":                             {32, 64, []Report{says("b", 32, 64)}, 32, false},
		"a third joins, first by name":            {32, 64, []Report{says("b", 32, 64), says("c", 0, 64)}, 22, true},
		"three, shared":                           {22, 64, []Report{says("b", 21, 64), says("c", 21, 64)}, 22, false},
		"three, one too many, and nobody below":   {23, 64, []Report{says("b", 21, 64), says("c", 21, 64)}, 22, false},
		"the newcomer's own view":                 {0, 64, []Report{says("b", 32, 64), says("c", 32, 64)}, 22, false},
		"one leaves":                              {22, 64, []Report{says("b", 21, 64), says("c", 0, 64).with(gone)}, 32, false},
		"one drains":                              {22, 64, []Report{says("b", 21, 64), says("c", 21, 64).with(draining)}, 32, false},
		"one is not heard for three seconds":      {22, 64, []Report{says("b", 21, 64), says("c", 21, 64).with(heard(3 * time.Second))}, 32, false},
		"one was heard in the future":             {22, 64, []Report{says("b", 21, 64), says("c", 21, 64).with(heard(-time.Hour))}, 32, false},
		"one is heard late":                       {22, 64, []Report{says("b", 21, 64), says("c", 21, 64).with(heard(2 * time.Second))}, 22, false},
		"the other is small":                      {60, 64, []Report{says("b", 4, 8)}, 56, true},
		"the other is full":                       {56, 64, []Report{says("b", 8, 8)}, 56, false},
		"the other takes none":                    {64, 64, []Report{says("b", 0, 0)}, 64, false},
		"this one is small":                       {8, 8, []Report{says("b", 40, 64)}, 8, false},
		"all are too small together":              {16, 16, []Report{says("b", 8, 16)}, 16, false},
		"the newest of several reports counts":    {32, 64, []Report{says("b", 32, 64), says("b", 0, 0).with(heard(time.Second))}, 32, false},
		"a later draining outweighs":              {32, 64, []Report{says("b", 32, 64).with(heard(time.Second)), says("b", 32, 64).with(draining)}, 64, false},
		"an echo of its own report":               {64, 64, []Report{says("a", 3, 3)}, 64, false},
		"a negative capacity":                     {64, 64, []Report{says("b", 0, -5)}, 64, false},
		"a boundless capacity":                    {64, 64, []Report{says("b", 0, 1<<40)}, 32, true},
		"partitions that there are not":           {64, 64, []Report{{Name: "b", Capacity: 64, Partitions: []int{-1, 64, 1 << 40}, Heard: noon}}, 32, true},
		"one partition, forty times over":         {33, 64, []Report{{Name: "b", Capacity: 64, Partitions: make([]int, 40), Heard: noon}}, 32, true},
		"more workers than partitions, the first": {1, 64, crew(99), 1, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want, shed := Fair("a", tt.held, tt.capacity, 64, tt.others, noon)
			if want != tt.want || shed != tt.shed {
				t.Errorf("wants %d, sheds %v; want %d, %v", want, shed, tt.want, tt.shed)
			}
		})
	}
}

func crew(n int) []Report {
	var all []Report
	for i := range n {
		all = append(all, says(fmt.Sprintf("w%02d", i), 0, 64))
	}
	return all
}

func TestFairSharesAddUpAndDifferByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		partitions := rapid.IntRange(1, 300).Draw(t, "partitions")
		capacities := rapid.SliceOfN(rapid.IntRange(0, 300), 1, 20).Draw(t, "capacities")
		var all []Report
		room := 0
		for i, c := range capacities {
			all = append(all, says(fmt.Sprintf("w%02d", i), 0, c))
			room += min(c, partitions)
		}
		sum, least, most := 0, partitions, 0
		for _, r := range all {
			want, _ := Fair(r.Name, 0, r.Capacity, partitions, all, noon)
			sum += want
			most = max(most, want)
			if want < r.Capacity {
				least = min(least, want)
			}
		}
		if sum != min(partitions, room) || most > least+1 {
			t.Fatalf("%d of %d partitions are wanted, at least %d, at most %d", sum, partitions, least, most)
		}
	})
}

// model is workers and a queue, a second a step. Reports arrive late or not at all.
type model struct {
	now        time.Time
	partitions int
	queue      []int
	workers    []*modelWorker
	moves      int
}

type modelWorker struct {
	name     string
	capacity int
	held     []int
	heard    map[string]Report
}

func (m *model) step(t *rapid.T, lossy bool) {
	m.now = m.now.Add(time.Second)
	for _, w := range m.workers {
		r := Report{Name: w.name, Capacity: w.capacity, Partitions: slices.Clone(w.held), Heard: m.now}
		for _, other := range m.workers {
			if !lossy || rapid.Bool().Draw(t, "arrives") {
				other.heard[w.name] = r
			}
		}
	}
	var shed []int // away for a second
	for _, w := range m.workers {
		if _, one := m.fair(w); one {
			shed = append(shed, w.held[0])
			w.held = w.held[1:]
			m.moves++
		}
	}
	order := m.workers
	if lossy {
		order = rapid.Permutation(m.workers).Draw(t, "order")
	}
	for _, spare := range []bool{false, true} { // the server serves those first that wait
		for _, w := range order {
			want, _ := m.fair(w)
			if spare {
				want = w.capacity
			}
			for len(w.held) < want && len(m.queue) > 0 {
				w.held, m.queue = append(w.held, m.queue[0]), m.queue[1:]
			}
		}
	}
	m.queue = append(m.queue, shed...)
}

func (m *model) fair(w *modelWorker) (int, bool) {
	var reports []Report
	for _, r := range w.heard {
		reports = append(reports, r)
	}
	return Fair(w.name, len(w.held), w.capacity, m.partitions, reports, m.now)
}

func (m *model) join(capacity int) {
	name := fmt.Sprintf("w%02d", len(m.workers))
	m.workers = append(m.workers, &modelWorker{name: name, capacity: capacity, heard: map[string]Report{}})
}

func TestFairSharesConvergeAndNeverOscillate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{now: noon, partitions: rapid.IntRange(1, 64).Draw(t, "partitions")}
		for p := range m.partitions {
			m.queue = append(m.queue, p)
		}
		m.join(m.partitions)
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			if len(m.workers) > 1 && rapid.Bool().Draw(t, "leaves") {
				last := m.workers[len(m.workers)-1]
				m.workers, m.queue = m.workers[:len(m.workers)-1], append(m.queue, last.held...)
			} else {
				m.join(rapid.IntRange(1, 64).Draw(t, "capacity"))
			}
			for range rapid.IntRange(0, 8).Draw(t, "seconds") {
				m.step(t, true)
			}
		}
		for range m.partitions + 5 {
			m.step(t, false)
		}
		m.moves = 0
		got, want := map[string]int{}, map[string]int{}
		for range 10 {
			m.step(t, false)
		}
		for _, w := range m.workers {
			got[w.name] = len(w.held)
			want[w.name], _ = m.fair(w)
		}
		if diff := cmp.Diff(want, got); diff != "" || m.moves != 0 || len(m.queue) != 0 {
			t.Fatalf("%d moves in the steady state, %d unheld; fair shares:\n%s", m.moves, len(m.queue), diff)
		}
	})
}
