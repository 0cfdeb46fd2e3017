export const deviceTypes = ['web', 'mobile', 'tablet', 'desktop', 'service', 'iot'] as const;
export type DeviceType = (typeof deviceTypes)[number];
