// Stands in for an optional package that the bundle never calls.
module.exports = {}
