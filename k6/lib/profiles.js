// Derived from crates/lab/src/load; do not edit.
export const profiles = {
  smoke: {"mix":{"declined":0,"weights":[["browse",40],["place",30],["look",20],["list",10]]},"stages":[{"from":5.0,"seconds":30,"to":5.0}]},
  load: {"mix":{"declined":0,"weights":[["browse",40],["place",30],["look",20],["list",10]]},"stages":[{"from":0.0,"seconds":30,"to":60.0},{"from":60.0,"seconds":120,"to":60.0},{"from":60.0,"seconds":30,"to":0.0}]},
  stress: {"mix":{"declined":0,"weights":[["browse",20],["place",60],["look",20]]},"stages":[{"from":0.0,"seconds":10,"to":50.0},{"from":50.0,"seconds":30,"to":50.0},{"from":50.0,"seconds":10,"to":100.0},{"from":100.0,"seconds":30,"to":100.0},{"from":100.0,"seconds":10,"to":200.0},{"from":200.0,"seconds":30,"to":200.0},{"from":200.0,"seconds":20,"to":0.0}]},
  spike: {"mix":{"declined":0,"weights":[["browse",20],["place",60],["look",20]]},"stages":[{"from":20.0,"seconds":20,"to":20.0},{"from":20.0,"seconds":2,"to":200.0},{"from":200.0,"seconds":20,"to":200.0},{"from":200.0,"seconds":2,"to":20.0},{"from":20.0,"seconds":30,"to":20.0}]},
  mixed: {"mix":{"declined":5,"weights":[["browse",30],["place",35],["repeat",5],["look",20],["list",10]]},"stages":[{"from":0.0,"seconds":20,"to":50.0},{"from":50.0,"seconds":100,"to":50.0},{"from":50.0,"seconds":10,"to":0.0}]},
  thresholds: {"errors":0.05,"p95":500.0,"p99":1000.0,"success":0.95},
};
