package chaos

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
)

// End is how a release must end.
type End string

// The ends.
const (
	Promoted   End = "promoted"
	Failed     End = "failed"     // taken back by its rules
	Aborted    End = "aborted"    // taken back by a person
	Superseded End = "superseded" // taken back for the release after it
	Duplicate  End = "duplicate"  // the version of the release before it: no rollout of its own
)

// Steps is how many steps each policy has.
const Steps = 4

// Environment is that of all slots.
const Environment = "production"

// First is the version that serves before the first release.
const First = "r0-good"

// Release is one release of the script, and what is owed for it.
type Release struct {
	ID      string `json:"id"`
	Version string `json:"version"` // says to the Prometheus stub how the release will do
	End     End    `json:"end"`
	Step    int    `json:"step,omitempty"` // at which it ends, from 1; 0 where it does not matter
}

// Slot is a service and its releases, one after the other.
type Slot struct {
	Service  string    `json:"service"`
	Exec     bool      `json:"exec,omitempty"` // moved by a command, else by a version flag
	Releases []Release `json:"releases"`
}

// Script is what a run plays.
type Script struct {
	Name  string `json:"name"`
	Seed  uint64 `json:"seed"`
	Slots []Slot `json:"slots"`
}

// execEvery is how many slots there are for each that a command moves: processes are dear.
const execEvery = 20

// Generate writes a script of at least the given number of rollouts. The same arguments give the same script.
func Generate(name string, seed uint64, slots, rollouts int) Script {
	random := rand.New(rand.NewPCG(seed, uint64(len(name))))
	s := Script{Name: name, Seed: seed}
	for i := range slots {
		slot := Slot{Service: fmt.Sprintf("s%04d", i), Exec: i%execEvery == execEvery-1}
		mine := rollouts/slots + min(1, max(0, rollouts%slots-i))
		for n := 1; n <= mine; n++ {
			slot.Releases = append(slot.Releases, release(random, slot.Service, n, n == mine)...)
		}
		s.Slots = append(s.Slots, slot)
	}
	return s
}

// release draws the fate of a slot's n-th rollout. The last cannot be superseded.
func release(random *rand.Rand, service string, n int, last bool) []Release {
	r := Release{ID: fmt.Sprintf("%s-%d", service, n), End: Promoted}
	step := 1 + random.IntN(Steps)
	switch draw := random.IntN(100); {
	case draw < 50:
	case draw < 72, last && draw < 86:
		r.End, r.Step = Failed, step
	case draw < 86:
		r.End, r.Step = Superseded, step
	default:
		r.End, r.Step = Aborted, step
	}
	r.Version = version(n, r.End, r.Step)
	out := []Release{r}
	if r.End == Promoted && random.IntN(8) == 0 {
		out = append(out, Release{ID: r.ID + "-again", Version: r.Version, End: Duplicate})
	}
	return out
}

// version is a version's name. A release that somebody must end is neither good nor bad at its step: it waits there.
func version(n int, end End, step int) string {
	switch end {
	case Failed:
		return fmt.Sprintf("r%d-bad-%d", n, step)
	case Aborted, Superseded:
		return fmt.Sprintf("r%d-wait-%d", n, step)
	case Promoted, Duplicate:
	}
	return fmt.Sprintf("r%d-good", n)
}

var doing = regexp.MustCompile(`^r\d+-(bad|wait)-(\d+)$`)

// Requests is what the Prometheus stub answers about a version at a step: requests in the window, and those that failed.
func Requests(version string, step int) (total, bad float64) {
	const enough, few = 100, 3
	m := doing.FindStringSubmatch(version)
	if m == nil {
		return enough, 0
	}
	if at, _ := strconv.Atoi(m[2]); step < at {
		return enough, 0
	}
	if m[1] == "wait" {
		return few, 0
	}
	return enough, enough / 2
}

// Rollouts is how many rollouts the script owes.
func (s Script) Rollouts() int {
	n := 0
	for _, slot := range s.Slots {
		for _, r := range slot.Releases {
			if r.End != Duplicate {
				n++
			}
		}
	}
	return n
}

// Promoting is the script with each slot's first release alone, and that one good.
func (s Script) Promoting() Script {
	for i := range s.Slots {
		first := s.Slots[i].Releases[0]
		first.End, first.Step, first.Version = Promoted, 0, version(1, Promoted, 0)
		s.Slots[i].Releases = []Release{first}
	}
	return s
}
