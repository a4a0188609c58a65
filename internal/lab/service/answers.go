package service

// answers are the flag's last answers, as many as make a share worth something.
type answers struct {
	last []string
	next int
	of   map[string]int
}

const (
	answersKept   = 200
	answersNeeded = 50 // fewer say nothing about a share
)

func newAnswers() answers { return answers{of: map[string]int{}} }

func (a *answers) add(version string) {
	if len(a.last) < answersKept {
		a.last = append(a.last, version)
	} else {
		a.of[a.last[a.next]]--
		a.last[a.next] = version
		a.next = (a.next + 1) % answersKept
	}
	a.of[version]++
}

// share is a version's part of the answers in basis points, 0 while there are too few.
func (a *answers) share(version string) int {
	if len(a.last) < answersNeeded {
		return 0
	}
	return a.of[version] * 10000 / len(a.last)
}
