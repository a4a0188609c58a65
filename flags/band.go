package flags

import "math"

// Band is how many of n users may get a variant that share of them (in basis points) should get, where somebody else's
// buckets place them: outside it a true share falls less than once in a thousand times. At 0 and Total it is exact.
func Band(n, share int) (low, high int) {
	switch {
	case share <= 0:
		return 0, 0
	case share >= Total:
		return n, n
	}
	return tail(n, float64(share)/Total), n - tail(n, 1-float64(share)/Total)
}

// tail is the least count that fewer than n users with probability p fall below as rarely as a band allows on one side.
func tail(n int, p float64) int {
	const rare = 0.0005
	for k, below := 0, 0.0; k < n; k++ {
		if below += math.Exp(logChoose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p)); below > rare {
			return k
		}
	}
	return n
}

func logChoose(n, k int) float64 {
	gamma := func(x int) float64 { v, _ := math.Lgamma(float64(x + 1)); return v }
	return gamma(n) - gamma(k) - gamma(n-k)
}
