package jetstream

import (
	"slices"
	"time"
)

// Fair is how many partitions a worker should hold, and whether it should hand one back now, by the reports of the
// workers. The wants of all workers that see the same reports add up to the partitions, as far as capacities allow, and
// differ by one at most unless a capacity is smaller; the first by name have the one more. A worker that wants fewer
// than it holds hands back only while another wants more than it holds. Reports that are stale, or of workers that
// drain, do not count; of several by one name the newest does; the worker's own is replaced by the arguments.
func Fair(name string, held, capacity, partitions int, reports []Report, now time.Time) (want int, shed bool) {
	all := claims(reports, partitions, now)
	all[name] = claim{held, min(max(capacity, 0), partitions)}
	wants := wants(all, partitions)
	below := false
	for other, c := range all {
		below = below || other != name && c.held < wants[other]
	}
	return wants[name], below && held > wants[name]
}

// claim is what one worker has, and could have.
type claim struct{ held, capacity int }

// claims are those of the workers that count.
func claims(reports []Report, partitions int, now time.Time) map[string]claim {
	newest := map[string]Report{}
	for _, r := range reports {
		if known, ok := newest[r.Name]; !ok || !r.Heard.Before(known.Heard) {
			newest[r.Name] = r
		}
	}
	all := map[string]claim{}
	for name, r := range newest {
		if r.Draining || !r.present(now) {
			continue
		}
		held := map[int]bool{}
		for _, p := range r.Partitions {
			if p >= 0 && p < partitions {
				held[p] = true
			}
		}
		all[name] = claim{len(held), min(max(r.Capacity, 0), partitions)}
	}
	return all
}

// wants shares the partitions out: all workers rise together to the lowest level that is enough, each as far as its
// capacity goes.
func wants(all map[string]claim, partitions int) map[string]int {
	sum := func(level int) (n int) {
		for _, c := range all {
			n += min(c.capacity, level)
		}
		return n
	}
	level := 0
	for level < partitions && sum(level) < partitions {
		level++
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	slices.Reverse(names)
	out := map[string]int{}
	spare := sum(level) - partitions
	for _, name := range names {
		out[name] = min(all[name].capacity, level)
		if spare > 0 && out[name] == level {
			out[name]--
			spare--
		}
	}
	return out
}
