package service

// route notes one answer of the flag and returns the version the request goes to, and its address; "" where that
// version does not run. Faults begin here: at the answer that reaches their share.
func (s *Service) route(answer string) (name, url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers.add(answer)
	to := s.find(answer)
	if to != nil && !to.begun.Load() && to.fault.reached(s.answers.share(answer)) {
		s.begin(to)
	}
	if v := s.greedy(); v != nil && v != to {
		v.spoiled()
		to = v
	}
	if to != nil && to.fault.Kind == NoTraffic && to.begun.Load() {
		to = s.other(to)
	}
	if to == nil {
		return answer, ""
	}
	return to.name, to.url()
}

// begin makes a fault act.
func (s *Service) begin(v *version) {
	if v.begun.Swap(true) || v.fault.Kind != Crash {
		return
	}
	v.spoiled()
	v.kill()
}

// greedy is the version that takes this request whatever the flag says, if any does.
func (s *Service) greedy() *version {
	for _, v := range s.running {
		if v.fault.Kind == IgnoresFlag && v.begun.Load() && v.fault.hits(s.opts.Rand()) {
			return v
		}
	}
	return nil
}

// other is the version that has run longest, but for v.
func (s *Service) other(v *version) *version {
	for _, o := range s.running {
		if o != v {
			return o
		}
	}
	return nil
}
