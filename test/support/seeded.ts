import { seedProperties } from './property.ts'

/** Before each file of tests. */

seedProperties()
